/**
 * A thousand handshakes (or --tries N) of each kind of stranger at a sidecar's door, and as many
 * requests to each kind of server that is not who it should be; none may come through.
 */

import type { CounterName } from "../../src/metrics/catalog.ts";
import { eventually } from "../support/eventually.ts";
import { startImpostors } from "../support/false-servers.ts";
import { counts, makeMesh, SNI, startRig, stopAll, WEB } from "../support/mtls-rig.ts";
import { type Program, startProgram } from "../support/program.ts";
import { send } from "../support/raw.ts";
import { type Stranger, strangersOf } from "../support/strangers.ts";
import { askTls } from "../support/tls-peer.ts";

/** At once: enough to keep a worker busy, far below what it sheds. */
const AT_ONCE = 16;
const REQUEST = "GET /stranger HTTP/1.1\r\nHost: web\r\n\r\n";

const flag = process.argv.indexOf("--tries");
const tries = flag === -1 ? 1_000 : Number(process.argv[flag + 1]);
const mesh = await makeMesh();
let failures = 0;

/** Runs `one` so many times, some of them at once, and returns how many were true. */
async function all(one: () => Promise<boolean>): Promise<number> {
  let left = tries;
  let good = 0;
  const lane = async (): Promise<void> => {
    while (left-- > 0) if (await one()) good++;
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return good;
}

async function report(
  who: string,
  program: Program,
  counter: CounterName | null,
  one: () => Promise<boolean>,
): Promise<void> {
  const read = async (): Promise<number> =>
    counter === null ? 0 : ((await counts(program)).get(counter) ?? 0);
  const before = await read();
  const startMs = performance.now();
  const refused = await all(one);
  if (counter !== null) {
    const isCounted = async (): Promise<boolean> => (await read()) - before >= tries;
    await eventually(isCounted, { withinMs: 5_000 }).catch(() => {});
  }
  const counted = (await read()) - before;
  if (refused !== tries || (counter !== null && counted !== tries)) failures++;
  const seconds = ((performance.now() - startMs) / 1_000).toFixed(1);
  const columns = [
    `${refused} of ${tries}`.padEnd(14),
    (counter === null ? "" : `${counter} +${counted}`).padEnd(36),
  ];
  console.log(`${who.padEnd(50)} ${columns.join(" ")} ${seconds} s`);
}

/** Neither an answer nor an end within the deadline counts as not refused. */
async function knock(port: number, { party }: Stranger): Promise<boolean> {
  try {
    const { text, end } = await askTls(port, party, SNI, REQUEST);
    return text === "" && end !== "close_notify";
  } catch {
    return false;
  }
}

const rig = await startRig({ mesh });
for (const stranger of await strangersOf(mesh)) {
  const name = `a client ${stranger.who}`;
  await report(name, rig.program, stranger.counter, () => knock(rig.port, stranger));
}
const impostors = await startImpostors(mesh);
const dialling = await startProgram([
  "--workers=1",
  "--name=caller",
  `--identity-dir=${mesh.callerDir}`,
  ...impostors.map(({ name, port }) => `--upstream=${name}=sidecar:web@127.0.0.1:${port}`),
]);
for (const { name, errorType } of impostors) {
  const request = `GET /stranger HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`;
  await report(`a server: ${name}`, dialling, null, async () => {
    const { text } = await send(dialling.port("outbound"), request);
    return /^HTTP\/1.1 502 /.test(text) && text.includes(`error=${errorType};`);
  });
}
for (const server of impostors) server.assertNothingCame();
const arrived = rig.origin.received.join("");
console.log(`bytes that came through to ${WEB.dns}: ${arrived.length}`);
await Promise.all(impostors.map((server) => server.close()));
await stopAll(dialling);
await rig.stop();
process.exit(failures === 0 && arrived === "" ? 0 : 1);
