import * as assert from "uvu/assert";
import { BodyKind } from "../../../src/codec/http1/framing.ts";
import { ConnectionChoice } from "../../../src/codec/http1/write-response.ts";
import { anyRequest, anyResponse, mutated } from "../../support/generate-http1.ts";
import { seeded } from "../../support/random.ts";
import { latin1, type ResponseFacts, readRequest, readResponse } from "../../support/read-http1.ts";
import { strictRequest, strictResponse } from "../../support/strict-http1.ts";
import { suite } from "../../support/test.ts";

const test = suite("codec/http1/round-trip");
test.timeout(60_000);

const ROUNDS = 5_000;
const MUTANTS = 30_000;

/** What must be the same when what was written is read again. */
function requestSense(text: string): { written: string; sense: unknown } {
  const result = readRequest(latin1(text));
  if (result.kind !== "done") throw new Error(`${JSON.stringify(result)}: ${JSON.stringify(text)}`);
  const { method, minorVersion, authority, body, upgrade, expectsContinue } = result.facts;
  const sense = [method, minorVersion, authority, body, upgrade, expectsContinue];
  return { written: result.written, sense };
}

function parseResponse(
  text: string,
  body: BodyKind | null,
): { written: string; facts: ResponseFacts } {
  const result = readResponse([latin1(text)], body, ConnectionChoice.silent);
  if (result.kind !== "done") throw new Error(`${JSON.stringify(result)}: ${JSON.stringify(text)}`);
  return { written: result.written, facts: result.facts };
}

test("a written request is read and written again without a change", () => {
  const random = seeded("requests");
  for (let round = 0; round < ROUNDS; round++) {
    const text = anyRequest(random);
    const first = requestSense(text);
    const second = requestSense(first.written);
    assert.equal(second.written, first.written, text);
    assert.equal(second.sense, first.sense, text);
  }
});

test("a strict reader sees in a written request what the codec saw", () => {
  const random = seeded("strict requests");
  for (let round = 0; round < ROUNDS; round++) checkRequest(anyRequest(random));
});

test("a written response is read and written again without a change", () => {
  const random = seeded("responses");
  for (let round = 0; round < ROUNDS; round++) {
    const text = anyResponse(random);
    const first = parseResponse(text, null);
    strictResponse(first.written);
    const second = parseResponse(first.written, null);
    assert.equal(second.written, first.written, text);
    assert.is(second.facts.status, first.facts.status);
    const { status, body } = first.facts;
    const hasBody = status >= 200 && status !== 204;
    if (hasBody) assert.is(second.facts.body, body, text);
  }
});

/** Whatever is taken must be pure for a reader that shares no code with us. */
function checkRequest(text: string): boolean {
  const result = readRequest(latin1(text));
  if (result.kind !== "done") return false;
  const { facts, written } = result;
  try {
    const strict = strictRequest(written);
    assert.is(strict.body, facts.body);
    if (facts.method !== "CONNECT") assert.is(strict.host ?? "", facts.authority);
    assert.ok(strict.startLine.startsWith(`${facts.method} `));
  } catch (error) {
    throw new Error(
      `${String(error)}\nread ${JSON.stringify(text)}\nwrote ${JSON.stringify(written)}`,
    );
  }
  return true;
}

test("no mutant of a request throws, and none that is taken is impure", () => {
  const random = seeded("mutant requests");
  let taken = 0;
  for (let round = 0; round < MUTANTS; round++) {
    if (checkRequest(mutated(random, anyRequest(random)))) taken++;
  }
  assert.ok(taken > MUTANTS / 20 && taken < MUTANTS * 0.9, `${taken} taken`);
});

test("no mutant of a response throws, and none that is taken is impure", () => {
  const random = seeded("mutant responses");
  const bodies = [null, BodyKind.none, BodyKind.chunked, BodyKind.untilClose] as const;
  let taken = 0;
  for (let round = 0; round < MUTANTS; round++) {
    const text = mutated(random, anyResponse(random));
    const body = random.pick(bodies);
    const result = readResponse([latin1(text)], body, ConnectionChoice.close);
    if (result.kind !== "done") continue;
    taken++;
    try {
      const strict = strictResponse(result.written);
      if (body === BodyKind.chunked) assert.is(strict.body, "chunked");
      if (body === BodyKind.untilClose) assert.is(strict.body, "none");
    } catch (error) {
      throw new Error(`${String(error)}\nread ${JSON.stringify(text)}`);
    }
  }
  assert.ok(taken > MUTANTS / 20 && taken < MUTANTS * 0.9, `${taken} taken`);
});

test("noise never throws", () => {
  const random = seeded("noise");
  for (let round = 0; round < ROUNDS; round++) {
    const bytes = random.bytes(random.below(200));
    readRequest(bytes);
    readResponse([bytes], null, ConnectionChoice.silent);
  }
});

test.run();
