import * as assert from "uvu/assert";
import { isNamed } from "../../src/mesh/tap.ts";
import { suite } from "../support/test.ts";

const test = suite("mesh/tap");

test("a name is the whole of a text, or its first part", () => {
  for (const text of ["web", "WEB", "web:80", "web.shop.svc.cluster.local:80", "web/x"]) {
    assert.ok(isNamed(text, "web"), text);
  }
  for (const text of ["", "we", "webshop", "web-2", "a.web", "xweb", "web\u0000"]) {
    assert.not(isNamed(text, "web"), text);
  }
  assert.ok(isNamed("127.0.0.1:4000", "127.0.0.1"));
  assert.not(isNamed("127.0.0.12:4000", "127.0.0.1"));
});

test.run();
