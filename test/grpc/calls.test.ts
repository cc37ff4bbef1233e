// timeout: 240s
/**
 * gRPC calls of every kind between a client and a server from npm, first directly, which shows that
 * the two do what is expected of them, then through two sidecars, with the same facts to be had.
 */
import * as assert from "uvu/assert";
import { suite } from "../support/test.ts";
import { direct, runCase, throughSidecars, type Way } from "./peers.ts";

const OK = 0;
const CANCELLED = 1;
const DEADLINE_EXCEEDED = 4;
const FAILED_PRECONDITION = 9;
const ABORTED = 10;

const METADATA = {
  text: ["a value, with comma"],
  twice: "1, 2",
  bytes: ["000102fdfeff"],
  long: 4_000,
};

/** What the client reports of each case, all of it. */
const CASES: readonly (readonly [title: string, name: string, facts: object])[] = [
  ["a unary call", "unary", { code: OK, isSame: true }],
  ["an empty message", "empty", { code: OK, isSame: true }],
  ["four megabytes both ways", "large", { code: OK, isSame: true }],
  [
    "metadata both ways, initial and trailing, binary too",
    "metadata",
    { code: OK, initial: METADATA, trailing: METADATA },
  ],
  ["a stream from the client", "clientStream", { code: OK, response: "1000 499500" }],
  ["a stream from the server", "serverStream", { code: OK, count: 1_000, size: 777_000 }],
  ["a hundred pings and pongs", "pingPong", { code: OK, count: 100, isInOrder: true }],
  [
    "an error with details and trailing metadata",
    "fail",
    {
      code: FAILED_PRECONDITION,
      details: "details with 100% \u00fcnicode: 9",
      why: { text: ["asked for"], bytes: ["0001feff"] },
    },
  ],
  [
    "an error after messages",
    "failLate",
    {
      code: ABORTED,
      details: "details with 100% \u00fcnicode: 10",
      messages: ["one", "two"],
      why: ["0001feff"],
    },
  ],
  ["two hundred calls at a time on one channel", "concurrent", { count: 200, good: 200 }],
];

const WAYS = [
  ["directly", direct],
  ["through two sidecars", throughSidecars],
] as const;

const test = suite("grpc/calls");
test.timeout(60_000);

const ways = new Map<string, Way>();
test.before(async () => {
  for (const [way, start] of WAYS) ways.set(way, await start());
});
test.after(async () => {
  for (const way of ways.values()) await way.stop();
});

function between(way: string): Way {
  const found = ways.get(way);
  if (found === undefined) throw new Error(`there is no way ${way}`);
  return found;
}

for (const [way] of WAYS) {
  for (const [title, name, facts] of CASES) {
    test(`${title}, ${way}`, async () => {
      assert.equal(await runCase(between(way).port, name), { case: name, ...facts });
    });
  }

  test(`a response of trailers only stays one, ${way}`, async () => {
    const facts = await runCase(between(way).port, "bare");
    const headers = facts["headers"] as Record<string, unknown>;
    assert.is(headers[":status"], 200);
    assert.is(headers["grpc-status"], "9");
    assert.is(headers["x-why-bin"], "AAH+/w==");
    assert.match(String(headers["content-type"]), /^application\/grpc/);
    assert.equal([facts["endsThere"], facts["bodyBytes"], facts["hasTrailers"]], [true, 0, false]);
  });

  test(`a deadline ends the call at both ends, ${way}`, async () => {
    const { code, tookMs } = await runCase(between(way).port, "deadline");
    assert.is(code, DEADLINE_EXCEEDED);
    assert.ok(Number(tookMs) < 5_000, `${tookMs} ms`);
    const { deadlineMs } = await between(way).server.find(
      "Hang began",
      (f) => f["began"] === "Hang",
    );
    assert.ok(Number(deadlineMs) > 0 && Number(deadlineMs) <= 500, `${deadlineMs} ms left`);
    await between(way).server.find("Hang was cancelled", (f) => f["cancelled"] === "Hang");
  });

  test(`a call that the client cancels is cancelled at the server, ${way}`, async () => {
    assert.is((await runCase(between(way).port, "cancel"))["code"], CANCELLED);
    await between(way).server.find("cancelled", (fact) => fact["cancelled"] === "HangLate");
  });
}

test.run();
