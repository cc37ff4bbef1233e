// timeout: 300s
/**
 * The image as it is meant to be used: built from the Containerfile on local bases, then control
 * plane, sidecar and init container of pods, as nobody, without capabilities and with a read-only
 * root. Needs root, podman, runc, mmdebstrap, nginx and iproute2; without them it fails.
 */
import { readFileSync } from "node:fs";
import * as assert from "uvu/assert";
import { eventually } from "../support/eventually.ts";
import { thisRuntime } from "../support/program.ts";
import { read } from "../support/sources.ts";
import { suite } from "../support/test.ts";
import { ended, output } from "./command.ts";
import { buildImage, IMAGE } from "./image.ts";
import { inside, type Namespace } from "./network.ts";
import { SLOW_BYTES, startNginx } from "./nginx.ts";
import { LOCKED, Pods } from "./pods.ts";

const OTHER_PORT = 8080;
const SHOP_ID = "shop.default.serviceaccount.identity.outrigger.cluster.local";
const MUTUAL_INBOUND = /^request_total\{direction="inbound",tls="true"[^}]*\} (\d+)$/gm;
const PLAIN_INBOUND = /^request_total\{direction="inbound"[^}]*tls="(?!true")/m;

const test = suite("container/container");
// Less than the file's own, so that what was made is taken away even then.
test.timeout(240_000);

test("the Containerfile takes from here what is not ignored, and nothing else", () => {
  const copies = [...read("Containerfile").matchAll(/^COPY (?!--from)(.*) \S+$/gm)];
  const copied = copies.flatMap(([, from = ""]) => from.split(" "));
  const lines = read(".containerignore").split("\n");
  const [first, ...kept] = lines.filter((line) => /^[^#]/.test(line));
  assert.is(first, "*");
  assert.equal(kept.map((line) => line.replace("!", "")).sort(), copied.sort());
});

if (thisRuntime === "bun") useImage(new Pods());
else console.log("not run: the image on deno; what it holds runs on Bun and was tested there");
test.run();

function useImage(pods: Pods): void {
  const { podman, network } = pods;
  const { version } = JSON.parse(read("package.json")) as { readonly version: string };
  let revision = "";
  let pod: Namespace;
  let client: Namespace;

  test.before(async () => {
    revision = (await output(["git", "rev-parse", "HEAD"])).trim();
    await buildImage(podman, version, revision);
    await network.start();
    pod = await network.add("pod");
    client = await network.add("client");
    await startNginx(pod, 80, podman.folder);
    await startNginx(network.hub, OTHER_PORT, podman.folder);
    await pods.startControl(network.hub);
    const limits = ["--cpus=1", "--memory=256m"];
    await pods.startPod("web", pod, limits, ["--app=127.0.0.1:80"]);
    const state = ["--tmpfs=/var/lib/outrigger:size=16m"];
    await pods.startPod("shop", client, state, [`--upstream=${pod.ip}=sidecar:web@${pod.ip}:80`]);
    await pods.logged("web", / announced/);
    await pods.logged("shop", / ready/);
  });
  test.after(() => pods.remove());

  test("the image holds the program of this commit, and no shell", async () => {
    const said = await podman.do(["run", "--rm", "--network=none", ...LOCKED, IMAGE, "version"]);
    assert.match(said, `outrigger ${version} (commit ${revision.slice(0, 7)}, bun `);
    const label = (name: string): string =>
      `{{index .Config.Labels "org.opencontainers.image.${name}"}}`;
    const labels = ["inspect", IMAGE, "--format", `${label("version")} ${label("revision")}`];
    assert.is((await podman.do(labels)).trim(), `${version} ${revision}`);
    const shell = ["run", "--rm", "--network=none", "--entrypoint=/bin/sh", IMAGE, "-c", "true"];
    assert.is((await podman.ended(shell)).status, 127);
  });

  test("an application without a proxy setting is called by mutual TLS, by both sidecars", async () => {
    const who = `from ${SHOP_ID}\n`;
    assert.is(await pods.curl(client, `http://${pod.ip}/a`), `GET /a of ${pod.ip} ${who}`);
    // By name, as one with HTTP_PROXY calls it.
    const proxy = "-xhttp://127.0.0.1:4140";
    assert.is(await pods.curl(client, proxy, "http://web/b"), `GET /b of web ${who}`);
    const inbound = await pods.metrics(pod);
    // The first one is counted before its name has labels of its own.
    const counts = [...inbound.matchAll(MUTUAL_INBOUND)].map(([, count]) => Number(count));
    assert.is(
      counts.reduce((sum, count) => sum + count, 0),
      2,
    );
    assert.not.match(inbound, PLAIN_INBOUND);
  });

  test("what the application asks of others goes out through its sidecar", async () => {
    const other = `${network.hub.ip}:${OTHER_PORT}`;
    assert.is(await pods.curl(pod, `http://${other}/c`), `GET /c of ${other} from \n`);
    const outbound = `^request_total\\{direction="outbound"[^}]*target_addr="${other}"[^}]*\\} 1$`;
    assert.match(await pods.metrics(pod), new RegExp(outbound, "m"));
  });

  test("who is in no mesh comes through the sidecar too, and cannot say it is", async () => {
    const spoofed = ["-H", `l5d-client-id: ${SHOP_ID}`, `http://${pod.ip}/d`];
    assert.is(await pods.curl(network.hub, ...spoofed), `GET /d of ${pod.ip} from \n`);
    assert.match(await pods.metrics(pod), PLAIN_INBOUND);
  });

  test("it runs as nobody, without capabilities, and keeps to what CPU time it has", async () => {
    const { Pid } = (await podman.inspect("web")).State;
    const status = readFileSync(`/proc/${Pid}/status`, "utf8");
    assert.match(status, /^Uid:\t65532\t65532\t65532\t65532$/m);
    assert.match(status, /^CapEff:\t0+$/m);
    assert.match(status, /^CapBnd:\t0+$/m);
    assert.match(status, /^NoNewPrivs:\t1$/m);
    assert.match(await podman.log("web"), "workers=1 ");
    for (const name of ["control", "web", "shop"]) {
      assert.equal((await podman.log(name)).match(/^.* (warn|error) .*$/gm), null, name);
    }
  });

  test("the health check says when it does not answer, and when it does again", async () => {
    assert.is(await pods.health("web"), "0 healthy");
    assert.is(await pods.health("control"), "0 healthy");
    const { Pid } = (await podman.inspect("web")).State;
    process.kill(Pid, "SIGSTOP");
    try {
      assert.match(await pods.health("web"), /^1 /);
      // After some in a row, and none of them counts while the container is young.
      const isUnhealthy = async (): Promise<boolean> =>
        (await pods.health("web")) === "1 unhealthy";
      await eventually(isUnhealthy, { withinMs: 30_000 });
    } finally {
      process.kill(Pid, "SIGCONT");
    }
    assert.is(await pods.health("web"), "0 healthy");
  });

  test("it is stopped when what is under way has ended, and ends well", async () => {
    const url = `http://${pod.ip}/slow`;
    const slow = pods.curl(client, "-o/dev/null", "-w%{http_code} %{size_download}", url);
    const isUnderWay = async (): Promise<boolean> =>
      /^outrigger_endpoint_pending\{.* 1$/m.test(await pods.metrics(pod));
    await eventually(isUnderWay, { what: "the request is under way" });
    assert.is(await pods.stop("web"), 0);
    assert.is(await slow, `200 ${SLOW_BYTES}`);
    const gone = await ended(inside(client, "curl", "-s", "-m5", url));
    assert.not.match(gone.stdout, "x", "the application is not reached past its sidecar");
    assert.is(await pods.stop("shop"), 0);
    assert.is(await pods.stop("control"), 0);
  });
}
