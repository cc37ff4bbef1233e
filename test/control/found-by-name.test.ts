// timeout: 120s
/**
 * A mesh of real programs where nobody is told where anybody is: two replicas of `web` announce
 * themselves, `shop` finds them by name, and goes on when one leaves, and when the control plane does.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { Agent, createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { eventually, lapse } from "../support/eventually.ts";
import { ControlProcess } from "../support/mesh-rig.ts";
import { type Program, startProgram } from "../support/program.ts";
import { suite } from "../support/test.ts";

const test = suite("control/found-by-name");
test.timeout(60_000);

const WEB = "web.default.svc.cluster.local";
const control = new ControlProcess("1h");
const folder = mkdtempSync(join(tmpdir(), "outrigger-found-"));
const agent = new Agent({ keepAlive: true, maxSockets: 8 });
const origins: Server[] = [];
const webs: Program[] = [];
let shop: Program;
let shopToken: string;

test.before(async () => {
  await control.start();
  const [webToken, token] = await Promise.all(
    ["web", "shop"].map((name) => control.do("token", "create", `--name=${name}`)),
  );
  shopToken = token ?? "";
  const starting = [startShop(), ...[0, 1].map((replica) => startWeb(replica, webToken ?? ""))];
  const [first, ...others] = await Promise.all(starting);
  assert.ok(first);
  shop = first;
  webs.push(...others);
});
test.after(async () => {
  agent.destroy();
  await Promise.all([shop, ...webs].map((program) => program.stop()));
  await control.remove();
  for (const origin of origins) origin.close();
  rmSync(folder, { recursive: true, force: true });
});

/** An application that says which replica it is, and its sidecar. */
async function startWeb(replica: number, token: string): Promise<Program> {
  const origin = createServer((_, response) => response.end(`replica ${replica}`));
  origins.push(origin);
  const port = await new Promise<number>((resolve) => {
    origin.listen(0, "127.0.0.1", () => resolve(portOf(origin)));
  });
  const flags = ["--name=web", `--app=127.0.0.1:${port}`, "--workers=1"];
  const program = await startProgram(flags, { OUTRIGGER_TOKEN: token });
  await eventually(async () => (await verbose(program)).includes("announced: web.default, yes"), {
    withinMs: 10_000,
  });
  return program;
}

function portOf(server: Server | undefined): number {
  return (server?.address() as AddressInfo | undefined)?.port ?? 0;
}

function startShop(): Promise<Program> {
  return startProgram(["--name=shop", "--workers=1"], {
    OUTRIGGER_TOKEN: shopToken,
    OUTRIGGER_STATE_DIR: join(folder, "shop"),
  });
}

async function verbose(program: Program): Promise<string> {
  return await (await program.admin("/ready?verbose")).text();
}

type Answer = { readonly status: number; readonly text: string; readonly why: string };

function ask(host: string, through: Program = shop): Promise<Answer> {
  return new Promise((resolve) => {
    const failed = (error: Error): void => resolve({ status: 0, text: "", why: error.message });
    const at = { host: "127.0.0.1", port: through.port("outbound"), path: "/", agent };
    const sent = request({ ...at, headers: { host } }, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => {
        text += chunk.toString();
      });
      response.on("error", failed);
      const why = String(response.headers["l5d-proxy-error"] ?? "");
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text, why }));
    });
    sent.on("error", failed);
    sent.end();
  });
}

/** Asks for `web` without pause until it is told to stop; returns all that was not well. */
function load(): () => Promise<{ readonly sent: number; readonly bad: readonly Answer[] }> {
  let isOver = false;
  let sent = 0;
  const bad: Answer[] = [];
  const client = async (): Promise<void> => {
    while (!isOver) {
      const answer = await ask("web");
      sent += 1;
      if (answer.status !== 200) bad.push(answer);
    }
  };
  const clients = Promise.all([client(), client(), client(), client()]);
  return async () => {
    isOver = true;
    await clients;
    return { sent, bad };
  };
}

async function endpoints(): Promise<number> {
  const view: unknown = await (await shop.admin("/endpoints")).json();
  const { services } = view as { services: { name: string; endpoints: unknown[] }[] };
  return services.find(({ name }) => name.startsWith("web."))?.endpoints.length ?? 0;
}

test("a name is found, under every text that means it, and reached by mutual TLS", async () => {
  const first = await ask("web");
  assert.equal([first.status, first.why], [200, ""]);
  await eventually(async () => (await endpoints()) === 2);
  const texts = ["web", "WEB:80", "web.default", "web.default.svc", `${WEB}:8080`];
  for (const host of texts) {
    assert.is((await ask(host)).status, 200, host);
  }
  const metrics = await (await shop.admin("/metrics")).text();
  const counted = /^response_total\{.*authority="web.default.svc.cluster.local".*\} \d+$/gm;
  const lines = metrics.match(counted) ?? [];
  assert.ok(lines.length > 0, metrics.slice(0, 2_000));
  for (const line of lines) {
    assert.match(line, 'tls="true"');
    assert.match(line, 'server_id="web.default.serviceaccount.identity.outrigger.cluster.local"');
  }
  assert.match(metrics, "\noutrigger_control_connected 1\n");
  assert.match(await verbose(shop), /^control: connected$/m);
});

test("an application that asks for its own service is one of those that answer", async () => {
  const [first] = webs;
  assert.ok(first);
  await eventually(async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => ask("web", first)));
    for (const { status, why } of answers) assert.equal([status, why], [200, ""]);
    return new Set(answers.map(({ text }) => text)).size === 2;
  });
});

test("what the control plane does not know is a name of DNS", async () => {
  assert.is((await ask("no-such-name.invalid")).status, 502);
  assert.is((await ask(`localhost:${portOf(origins[0])}`)).status, 200);
});

test("a replica that is stopped leaves under load, and no request fails", async () => {
  const stopLoad = load();
  await lapse(100);
  const leaving = webs.pop();
  assert.is(await leaving?.stop(), 0);
  assert.is(await endpoints(), 1);
  await lapse(100);
  const { sent, bad } = await stopLoad();
  assert.equal(bad, [], `of ${sent}`);
  assert.ok(sent > 20, `${sent}`);
  assert.match(leaving?.log() ?? "", "withdrawn service=web.default");
});

test("without a control plane requests go on, also through a sidecar that starts anew", async () => {
  const stopLoad = load();
  await control.stop();
  await eventually(async () => /^control: away for /m.test(await verbose(shop)));
  await lapse(100);
  const during = await stopLoad();
  assert.equal(during.bad, [], `of ${during.sent}`);
  assert.is(await shop.stop(), 0);
  shop = await startShop();
  const after = await ask("web");
  assert.equal(after, { status: 200, text: "replica 0", why: "" });
  assert.match(await verbose(shop), /^ready\n(?:.*\n)*control: away for /);
  assert.match(await (await shop.admin("/metrics")).text(), "\noutrigger_control_connected 0\n");
  // What nobody can be asked about is not looked up elsewhere.
  const stranger = await ask("never-seen");
  assert.equal([stranger.status, /control/.test(stranger.why)], [503, true]);
});

test("a control plane that comes back is found", async () => {
  await control.start();
  const connected = async (program: Program | undefined): Promise<boolean> =>
    program !== undefined && (await verbose(program)).includes("control: connected");
  await eventually(async () => (await connected(shop)) && (await connected(webs[0])), {
    withinMs: 15_000,
  });
  assert.is((await ask("web")).text, "replica 0");
});

test.run();
