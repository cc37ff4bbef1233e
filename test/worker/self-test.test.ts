import { readdirSync } from "node:fs";
import * as assert from "uvu/assert";
import { TlsSession } from "../../src/net/tls-session.ts";
import { MeshTls } from "../../src/proxy/mesh-tls.ts";
import { ownProblem, strangersProblem } from "../../src/worker/self-test.ts";
import { identityOf, issueCredentials, makeAuthority } from "../support/certificates.ts";
import { suite } from "../support/test.ts";

const test = suite("worker/self-test");
const anchor = await makeAuthority();
const own = await issueCredentials(anchor, identityOf("web"));

/** Replaces a method while `body` runs, as a broken library would. */
function broken(prototype: object, name: string, value: PropertyDescriptor, body: () => void) {
  const before = Object.getOwnPropertyDescriptor(prototype, name);
  if (before === undefined) throw new Error(`no ${name}`);
  Object.defineProperty(prototype, name, { ...value, configurable: true });
  try {
    body();
  } finally {
    Object.defineProperty(prototype, name, before);
  }
}

test("strangers are refused, each for its own reason, and the right one is served", () => {
  assert.is(strangersProblem(), null);
  assert.is(ownProblem(own), null);
});

test("it leaves no descriptor behind, however often it is repeated", () => {
  const before = readdirSync("/proc/self/fd").length;
  for (let i = 0; i < 20; i++) {
    assert.is(strangersProblem(), null);
    assert.is(ownProblem(own), null);
  }
  assert.is(readdirSync("/proc/self/fd").length, before);
});

test("a certificate for another use is our own problem", async () => {
  const serverOnly = await issueCredentials(anchor, identityOf("web"), { eku: ["serverAuth"] });
  assert.match(ownProblem(serverOnly) ?? "", /^our own certificate was not let in/);
});

test("a certificate of another anchor than the one we trust is too", async () => {
  const other = await makeAuthority({ name: "other" });
  const foreign = { ...own, roots: [other.root] };
  assert.match(ownProblem(foreign) ?? "", /^our own certificate was not let in/);
});

test("a handshake that lets everybody in is noticed", () => {
  const everybody = { name: "x", identity: identityOf("x"), field: null };
  broken(TlsSession.prototype, "handshake", { value: () => "done" }, () => {
    broken(MeshTls.prototype, "clientOf", { value: () => everybody }, () => {
      assert.is(strangersProblem(), "a client without a certificate was let in");
    });
  });
});

test("a check of ours that finds nobody is noticed", () => {
  broken(MeshTls.prototype, "clientOf", { value: () => null }, () => {
    assert.match(strangersProblem() ?? "", /the right certificate was not let in/);
  });
});

test.run();
