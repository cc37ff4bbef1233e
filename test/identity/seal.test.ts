import { createCipheriv, hkdfSync } from "node:crypto";
import * as assert from "uvu/assert";
import { seal, unseal } from "../../src/identity/seal.ts";
import { suite } from "../support/test.ts";

const test = suite("identity/seal");

const SECRET = new Uint8Array(32).fill(3);
const TEXT = new TextEncoder().encode("a private key");

test("what is sealed opens with its secret and context, and with no other", async () => {
  const sealed = await seal(SECRET, "web", TEXT);
  assert.equal(await unseal(SECRET, "web", sealed), TEXT);
  assert.is(await unseal(SECRET, "api", sealed), null);
  assert.is(await unseal(new Uint8Array(32), "web", sealed), null);
  assert.is(await unseal(SECRET, "web", { ...sealed, text: new Uint8Array(3) }), null);
  assert.is(await unseal(SECRET, "web", { ...sealed, nonce: new Uint8Array(0) }), null);
  assert.equal(
    await unseal(SECRET, "", await seal(SECRET, "", new Uint8Array(0))),
    TEXT.slice(0, 0),
  );
});

test("it is AES-256-GCM under HKDF-SHA256, as another implementation has them", async () => {
  const [salt, nonce] = [new Uint8Array(32).fill(5), new Uint8Array(12).fill(6)];
  const key = hkdfSync("sha256", SECRET, salt, "outrigger sealed state 1", 32);
  const cipher = createCipheriv("aes-256-gcm", Buffer.from(key), nonce);
  cipher.setAAD(Buffer.from("web"));
  const parts = [cipher.update(TEXT), cipher.final(), cipher.getAuthTag()];
  const text = new Uint8Array(Buffer.concat(parts));
  assert.equal(await unseal(SECRET, "web", { salt, nonce, text }), TEXT);
});

test.run();
