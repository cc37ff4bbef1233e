// timeout: 60s
/** Sidecars that are restarted while there is no control plane: they go on with what they kept. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { eventually } from "../support/eventually.ts";
import { ControlProcess } from "../support/mesh-rig.ts";
import { type Program, startProgram } from "../support/program.ts";
import { fixedOrigin, type RawOrigin, send } from "../support/raw.ts";
import { suite } from "../support/test.ts";

const test = suite("proxy/control-away");
test.timeout(40_000);

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const GET = "GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n";

const state = mkdtempSync(join(tmpdir(), "outrigger-kept-"));
const control = new ControlProcess("1h");
let origin: RawOrigin;
test.before(async () => {
  await control.start();
  origin = await fixedOrigin(OK);
});
test.after(async () => {
  await control.remove();
  await origin.close();
  rmSync(state, { recursive: true, force: true });
});

function start(name: string, token: string, args: readonly string[]): Promise<Program> {
  return startProgram([`--name=${name}`, "--workers=1", ...args], {
    OUTRIGGER_TOKEN: token,
    OUTRIGGER_STATE_DIR: join(state, name),
  });
}

const isReady = async (program: Program): Promise<boolean> =>
  (await program.admin("/ready")).status === 200;

test("both ends of mutual TLS are restarted without the control plane and serve within a second", async () => {
  const webToken = await control.do("token", "create", "--name=web");
  const shopToken = await control.do("token", "create", "--name=shop");
  const webArgs = [`--app=127.0.0.1:${origin.port}`, "--require-identity"];
  const shopArgs = (web: Program): string[] => [
    `--upstream=web=sidecar:web@127.0.0.1:${web.port("inbound")}`,
  ];
  let web = await start("web", webToken, webArgs);
  let shop = await start("shop", shopToken, shopArgs(web));
  for (const program of [web, shop]) {
    await eventually(() => isReady(program), { withinMs: 10_000 });
    assert.match(program.log(), "a certificate was issued");
  }
  assert.match((await send(shop.port("outbound"), GET)).text, /^HTTP\/1.1 200 [\s\S]*ok$/);
  assert.is(await shop.stop(), 0);
  assert.is(await web.stop(), 0);
  await control.stop();

  web = await start("web", webToken, webArgs);
  shop = await start("shop", shopToken, shopArgs(web));
  // The log says ready when the threads are; the certificate came before them.
  for (const program of [web, shop]) assert.ok(await isReady(program), program.log());
  const reply = await send(shop.port("outbound"), GET);
  assert.match(reply.text, /^HTTP\/1.1 200 [\s\S]*ok$/);
  assert.match(web.log(), /the certificate that was kept is used/);
  assert.is(await shop.stop(), 0);

  assert.is(await web.stop(), 0);
});

test("with another token it does not open, and a normal join follows", async () => {
  await control.start();
  const logs: string[] = [];
  for (let run = 0; run < 2; run++) {
    const token = await control.do("token", "create", "--name=api");
    const api = await start("api", token, []);
    await eventually(() => isReady(api), { withinMs: 10_000 });
    assert.is(await api.stop(), 0);
    logs.push(api.log());
  }
  const [first = "", second = ""] = logs;
  assert.not.match(first, "kept");
  assert.is(second.match(/kept is not used .*for another token or name/g)?.length, 1, second);
  assert.match(second, "a certificate was issued");
});

test.run();
