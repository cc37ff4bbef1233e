import * as assert from "uvu/assert";
import { FieldSection, Step } from "../../src/codec/http1/field-section.ts";
import { grpcCodeOf, isBadCode, isFailureCode } from "../../src/proxy/grpc-outcome.ts";
import { suite } from "../support/test.ts";

const test = suite("proxy/grpc-outcome");

/** The code in a section of these lines, which begins at `base`. */
function codeIn(lines: string, base = 3): number {
  const bytes = new TextEncoder().encode(`${"x".repeat(base)}${lines}\r\n`);
  const fields = new FieldSection();
  fields.reset(0);
  assert.is(fields.parse(bytes, base, bytes.length), Step.done);
  return grpcCodeOf(bytes, base, fields);
}

test("the code is found wherever it stands", () => {
  assert.is(codeIn("grpc-status: 0\r\n"), 0);
  assert.is(codeIn("a: b\r\nGrpc-Status: 14\r\ngrpc-message: 3\r\n", 40), 14);
});

test("what is none is none", () => {
  for (const lines of ["", "a: 1\r\n", "grpc-statu: 1\r\n", "grpc-status:\r\n"]) {
    assert.is(codeIn(lines), -1);
  }
  for (const value of ["x", "1x", "-1", "100", "1 4", "٣"]) {
    assert.is(codeIn(`grpc-status: ${value}\r\n`), -1, value);
  }
});

test("codes that are about who asked or what was asked speak against nobody", () => {
  const bad = Array.from({ length: 17 }, (_, code) => code).filter(isBadCode);
  assert.equal(bad, [2, 4, 13, 14, 15]);
  assert.ok(isFailureCode(8) && isFailureCode(14) && !isFailureCode(7) && !isFailureCode(0));
});

test.run();
