/**
 * A sidecar's data path (acceptor and worker, as threads) whose list of endpoints is told line by line,
 * for endpoints that join, or have weights: flags cannot say that.
 *
 * Arguments: the balancer, the service's name, all ports. Prints `port N`. A line `list 0: 1:40000` makes
 * those places of the ports the endpoints, the second with a weight.
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { BALANCERS } from "../../src/balancer/tuning.ts";
import { startRouted } from "../../test/support/routed-rig.ts";

const [name, service = "", ...ports] = process.argv.slice(2);
const balancer = BALANCERS.find((each) => each === name);
if (balancer === undefined) throw new Error(`no balancer is named ${name}`);
const rig = await startRouted(balancer);
console.log(`port ${rig.port}`);
for await (const line of createInterface({ input: process.stdin })) {
  const [word, ...places] = line.split(" ");
  if (word !== "list") continue;
  const at = places.map((text) => {
    const [place, weight = ""] = text.split(":");
    const port = Number(ports[Number(place)]);
    return weight === "" ? { port } : { port, weight: Number(weight) };
  });
  await rig.publish([{ name: service, at }]);
  console.log("listed");
}
