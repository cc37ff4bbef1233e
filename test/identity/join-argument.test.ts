import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { readJoinArgument } from "../../src/identity/join-argument.ts";
import { formatJoinToken, type JoinToken } from "../../src/identity/join-token.ts";
import { suite } from "../support/test.ts";

const test = suite("identity/join-argument");

const directory = mkdtempSync(join(tmpdir(), "join-argument-"));
test.after(() => rmSync(directory, { recursive: true, force: true }));

function token(secret: number): JoinToken {
  return {
    host: "control.example",
    port: 4_190,
    trustDomain: "cluster.local",
    pins: [new Uint8Array(32).fill(1)],
    id: new Uint8Array(8).fill(2),
    secret: new Uint8Array(32).fill(secret),
  };
}

test("a token stands for itself", () => {
  assert.equal(readJoinArgument(formatJoinToken(token(3))), token(3));
});

test("a file is read anew each time", () => {
  const path = join(directory, "token");
  writeFileSync(path, `${formatJoinToken(token(3))}\n`);
  assert.equal(readJoinArgument(`@${path}`), token(3));
  writeFileSync(path, formatJoinToken(token(4)));
  assert.equal(readJoinArgument(`@${path}`), token(4));
});

test("what is none is told without quoting it", () => {
  const text = formatJoinToken(token(3)).slice(0, -3);
  const path = join(directory, "bad");
  writeFileSync(path, text);
  const huge = join(directory, "huge");
  writeFileSync(huge, formatJoinToken(token(3)).padEnd(5_000));
  for (const argument of [
    text,
    `@${path}`,
    `@${huge}`,
    `@${directory}`,
    `@${path}-none`,
    "",
    "@",
  ]) {
    const read = readJoinArgument(argument);
    assert.ok("refused" in read, argument);
    assert.not.ok("refused" in read && read.refused.includes(text.slice(4, 20)));
  }
});

test.run();
