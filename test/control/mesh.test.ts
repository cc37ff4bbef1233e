// timeout: 120s
/** The mesh as gRPC's own client sees it: the real program, certificates from a join token. */
import { randomBytes } from "node:crypto";
import * as assert from "uvu/assert";
import { ANNOUNCE, GET_DESTINATION, WITHDRAW } from "../../src/control/names.ts";
import {
  AnnouncementSchema,
  AnnounceStateSchema,
  WithdrawRequestSchema,
  WithdrawResponseSchema,
} from "../../src/proto/announce_pb.ts";
import { GetDestinationSchema, type Update, UpdateSchema } from "../../src/proto/destination_pb.ts";
import { GrpcCaller, joinMesh } from "../support/control-caller.ts";
import { eventually } from "../support/eventually.ts";
import { ControlProcess } from "../support/mesh-rig.ts";
import { suite } from "../support/test.ts";

const test = suite("control/mesh");
test.timeout(60_000);

const PUSHED_WITHIN_MS = 100;
const control = new ControlProcess("1h");
let web: GrpcCaller;
let shop: GrpcCaller;

test.before(async () => {
  await control.start();
  const join = async (name: string): Promise<GrpcCaller> => {
    const token = await control.do("token", "create", `--name=${name}`);
    return new GrpcCaller(control.port, await joinMesh(token, name));
  };
  [web, shop] = await Promise.all([join("web"), join("shop")]);
});
test.after(async () => {
  await Promise.all([web.stop(), shop.stop()]);
  await control.remove();
});

const watch = (path: string) =>
  shop.call(GET_DESTINATION, GetDestinationSchema, { path }, UpdateSchema);
const announce = (instance: Uint8Array, applicationPort: number) =>
  web.call(
    ANNOUNCE,
    AnnouncementSchema,
    { inboundPort: 4143, applicationPort, instance },
    AnnounceStateSchema,
  );
const withdraw = (instance: Uint8Array) =>
  web.call(WITHDRAW, WithdrawRequestSchema, { instance }, WithdrawResponseSchema);

/** `+8080`, `-8080` and `none`, as they came. */
function said(updates: readonly Update[]): string {
  return updates
    .map(({ update }) => {
      if (update.case === "noEndpoints") return update.value.exists ? "none" : "no service";
      const sign = update.case === "add" ? "+" : "-";
      return (update.value?.addrs ?? [])
        .map((each) => ("weight" in each ? each.addr?.port : each.port))
        .map((port) => `${sign}${port}`)
        .join(" ");
    })
    .join(" ");
}

test("grpc-js sees endpoints come and go, and that there are none", async () => {
  const watching = watch("web:80");
  const updates = () => said(watching.messages());
  await eventually(() => updates() === "no service");
  const [one, two] = [randomBytes(16), randomBytes(16)];
  const first = announce(one, 8080);
  await eventually(() => updates() === "no service +8080");
  const state = await eventually(() => first.messages()[0] ?? null);
  assert.is(state.accepted, true);
  assert.is(state.service, "web.default.svc.cluster.local");
  assert.is(state.address, "127.0.0.1");
  const added = watching.messages()[1]?.update;
  assert.ok(added?.case === "add");
  assert.equal(added.value.metricLabels, { dst_service: "web", dst_namespace: "default" });
  const [endpoint] = added.value.addrs;
  const name = "web.default.serviceaccount.identity.outrigger.cluster.local";
  assert.equal(endpoint?.addr?.ip?.ip, { case: "ipv4", value: 0x7f000001 });
  assert.is(endpoint?.weight, 10_000);
  assert.is(endpoint?.tlsIdentity?.serverName?.name, name);
  assert.is(endpoint?.protocolHint?.protocol.case, "h2");
  assert.is(endpoint?.protocolHint?.opaqueTransport?.inboundPort, 4143);
  const second = announce(two, 8081);
  await eventually(() => updates() === "no service +8080 +8081");
  withdraw(one);
  await eventually(() => updates() === "no service +8080 +8081 -8080");
  await eventually(() => first.end()?.code === 0);
  withdraw(two);
  await eventually(() => updates() === "no service +8080 +8081 -8080 -8081 none");
  assert.is(second.end()?.code ?? 0, 0);
  watching.cancel();
});

test("a change is pushed within 100 ms", async () => {
  const watching = watch("web");
  const tookMs: number[] = [];
  for (let round = 0; round < 5; round++) {
    const before = watching.messages().length;
    const instance = randomBytes(16);
    const announced = announce(instance, 9_000 + round);
    await eventually(() => said(watching.messages().slice(before)).includes(`+${9_000 + round}`));
    // Both were told by one process, on one clock: the announcer of its lease, the watcher of it.
    const leasedMs = await eventually(() => announced.atMs()[0] ?? null);
    tookMs.push((watching.atMs().at(-1) ?? Number.NaN) - leasedMs);
    withdraw(instance);
    await eventually(() => said(watching.messages()).includes(`-${9_000 + round}`));
  }
  // The machine may stand still for once, but not each time.
  const median = tookMs.sort((a, b) => a - b)[2] ?? Number.NaN;
  assert.ok(median < PUSHED_WITHIN_MS, `${tookMs.map((ms) => ms.toFixed(1)).join(", ")} ms`);
  watching.cancel();
});

test("the admin API lists services as JSON and as text, and counts them", async () => {
  const announced = announce(randomBytes(16), 7_000);
  await eventually(() => announced.messages().length === 1);
  const port = /listening: admin \S*:(\d+)/.exec(control.log)?.[1];
  const get = async (path: string): Promise<string> =>
    (await fetch(`http://127.0.0.1:${port}${path}`)).text();
  const { services } = JSON.parse(await get("/services"));
  const web = services.find(({ name }: { name: string }) => name.startsWith("web.default."));
  assert.is(web.endpoints[0].address, "127.0.0.1:7000");
  assert.is(web.endpoints[0].leaving, false);
  assert.match(await get("/services?format=text"), /^ {2}127\.0\.0\.1:7000 {2}inbound 4143 {2}/m);
  assert.match(await get("/ready?verbose"), /^policy: none/m);
  const metrics = await get("/metrics");
  assert.match(metrics, /^outrigger_control_endpoints 1$/m);
  assert.match(metrics, /^outrigger_control_watches\{kind="lease"\} 1$/m);
  assert.match(metrics, /^outrigger_control_push_lag_seconds_count [1-9]/m);
  announced.cancel();
  await eventually(async () => (await get("/services?format=text")).includes("leaving"));
});

test.run();
