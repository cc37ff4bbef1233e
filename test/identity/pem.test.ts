import { createPrivateKey, createPublicKey } from "node:crypto";
import * as assert from "uvu/assert";
import {
  certificatesOfPem,
  PEM_CHARS_MAX,
  pemOf,
  privateKeyOfPem,
} from "../../src/identity/pem.ts";
import { ascii } from "../codec/x509/parts.ts";
import { der, makeAuthority, makeKeys, oidDer, toPem } from "../support/certificates.ts";
import { suite } from "../support/test.ts";

const test = suite("identity/pem");

function certificates(text: string): readonly Uint8Array[] {
  const found = certificatesOfPem(text);
  if ("error" in found) throw new Error(found.error);
  return found;
}

function privateKey(text: string): Uint8Array<ArrayBuffer> {
  const found = privateKeyOfPem(text);
  if ("error" in found) throw new Error(found.error);
  return found;
}

const errorOf = (found: object): string => ("error" in found ? String(found.error) : "it was read");

/** Any two blocks; what is inside is not looked at. */
const FIRST = Uint8Array.from({ length: 100 }, (_, index) => index);
const SECOND = Uint8Array.from({ length: 48 }, (_, index) => 255 - index);
const PAIR = toPem("CERTIFICATE", FIRST) + toPem("CERTIFICATE", SECOND);

/** Made by `openssl ecparam -name prime256v1 -genkey`, and by `openssl pkcs8 -topk8 -nocrypt`. */
const EC_KEY = `-----BEGIN EC PARAMETERS-----
BggqhkjOPQMBBw==
-----END EC PARAMETERS-----
-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIDWhZ+6IJDxTrMgNNDZ4KPaq7KXTIuAEsE1EVn1aMMvpoAoGCCqGSM49
AwEHoUQDQgAEmY7HGv7Iu5jyJDtQAaFumxif7m8mdrYFDXqlM/bPdwfU5N4IUxDN
o0Jjk7BcTgw8AiwKWc1dWEXUdE6FH7/IDw==
-----END EC PRIVATE KEY-----
`;
const PKCS8_KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgNaFn7ogkPFOsyA00
Nngo9qrspdMi4ASwTURWfVowy+mhRANCAASZjsca/si7mPIkO1ABoW6bGJ/ubyZ2
tgUNeqUz9s93B9Tk3ghTEM2jQmOTsFxODDwCLApZzV1YRdR0ToUfv8gP
-----END PRIVATE KEY-----
`;

test("certificates are read in their order, and text around them is passed over", () => {
  const texts = [
    PAIR,
    PAIR.replaceAll("\n", "\r\n"),
    PAIR.replaceAll("\n", " \t\n"),
    PAIR.trimEnd(),
    `subject=CN = web\n\n${PAIR.replace("-----\n-----", "-----\n\nissuer: a -- b\n-----")}# end\n`,
  ];
  for (const text of texts) assert.equal(certificates(text), [FIRST, SECOND]);
});

test("each certificate has memory of its own", () => {
  for (const { buffer, byteLength } of certificates(PAIR)) assert.is(buffer.byteLength, byteLength);
});

test("what is written is read, by OpenSSL's rules of a line", async () => {
  const { certificate, pkcs8 } = await makeAuthority();
  const text = pemOf("CERTIFICATE", certificate);
  assert.is(text, toPem("CERTIFICATE", certificate));
  assert.equal(certificates(text), [certificate]);
  assert.equal(privateKey(pemOf("PRIVATE KEY", pkcs8)), pkcs8);
  for (let length = 1; length < 200; length += 1) {
    const bytes = new Uint8Array(length).fill(0xa5);
    assert.equal(certificates(pemOf("CERTIFICATE", bytes)), [bytes]);
  }
});

test("half a text is an error wherever a block is cut", () => {
  const blockEnd = toPem("CERTIFICATE", FIRST).length;
  for (let length = 0; length < PAIR.length - 1; length += 1) {
    const found = certificatesOfPem(PAIR.slice(0, length));
    // Between the blocks, and within the second one's first dashes, the first one is whole.
    const isWhole = length >= blockEnd - 1 && length < blockEnd + 5;
    assert.is("error" in found, !isWhole, `${length} characters`);
  }
});

test("what is not strictly PEM is an error with a plain reason", () => {
  const [begin, end] = ["-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"];
  const table: [string, string][] = [
    ["", "no block CERTIFICATE"],
    ["text\n", "no block CERTIFICATE"],
    [`${begin}\n${end}\n`, "a block CERTIFICATE that is not base64"],
    [`${begin}\nAA=\n${end}\n`, "a block CERTIFICATE that is not base64"],
    [`${begin}\nAA\n${end}\n`, "a block CERTIFICATE that is not base64"],
    [`${begin}\nAB==\n${end}\n`, "a block CERTIFICATE that is not base64"],
    [`${begin}\nAA==\nAAAA\n${end}\n`, "a block CERTIFICATE that is not base64"],
    [`${begin}\nAA-_\n${end}\n`, "a line that is not base64"],
    [`${begin}\nAA A\n${end}\n`, "a line that is not base64"],
    [`${begin}\n\nAAAA\n${end}\n`, "a line that is not base64"],
    [`${begin}\n AAAA\n${end}\n`, "a line that is not base64"],
    [`${begin}\n${"A".repeat(80)}\n${end}\n`, "a line that is not base64"],
    [`${begin}\nProc-Type: 4,ENCRYPTED\n\nAAAA\n${end}\n`, "a block with headers"],
    [`${begin}\nAAAA\n`, "a block CERTIFICATE without its END"],
    [`${begin}\nAAAA\n${begin}\nAAAA\n${end}\n`, "a block CERTIFICATE without its END"],
    [`${end}\n`, "an END of CERTIFICATE without its BEGIN"],
    [`${begin}\nAAAA\n-----END PRIVATE KEY-----\n`, "an END of PRIVATE KEY without its BEGIN"],
    [`${begin}-\nAAAA\n${end}\n`, "a broken line of BEGIN or END"],
    [`${PAIR}-----BEGIN CERTIFICATE\n`, "a broken line of BEGIN or END"],
    [`${begin}\nAAAA\n${end} x\n`, "a broken line of BEGIN or END"],
    ["-----BEGIN CERTIFICATE-----AAAA-----END CERTIFICATE-----", "a broken line of BEGIN or END"],
    [PAIR + toPem("PRIVATE KEY", FIRST), "a block PRIVATE KEY among certificates"],
    [PAIR + toPem("TRUSTED CERTIFICATE", FIRST), "a block TRUSTED CERTIFICATE among certificates"],
    [toPem("CERTIFICATE", SECOND).repeat(513), "more than 512 blocks"],
    ["\n".repeat(PEM_CHARS_MAX + 1), `longer than ${PEM_CHARS_MAX} characters`],
  ];
  for (const [text, reason] of table) {
    assert.is(errorOf(certificatesOfPem(text)), reason, JSON.stringify(text.slice(0, 90)));
  }
});

test("a key of P-256 becomes PKCS #8, and is the same key as by OpenSSL", () => {
  const key = privateKey(PKCS8_KEY);
  assert.is(pemOf("PRIVATE KEY", key), PKCS8_KEY);
  const converted = privateKey(EC_KEY);
  const spkiOf = (pkcs8: Uint8Array): Buffer =>
    createPublicKey(pemOf("PRIVATE KEY", pkcs8)).export({ type: "spki", format: "der" });
  assert.equal(spkiOf(converted), spkiOf(key));
  for (const bytes of [key, converted]) assert.is(bytes.buffer.byteLength, bytes.byteLength);
});

test("the runtimes take the keys that come out", async () => {
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  for (const text of [EC_KEY, PKCS8_KEY]) {
    await crypto.subtle.importKey("pkcs8", privateKey(text), algorithm, false, ["sign"]);
  }
  const keys = await makeKeys();
  const pkcs8 = new Uint8Array(await crypto.subtle.exportKey("pkcs8", keys.privateKey));
  const spki = Buffer.from(await crypto.subtle.exportKey("spki", keys.publicKey));
  const text = pemOf("PRIVATE KEY", pkcs8);
  const sec1 = createPrivateKey(text).export({ type: "sec1", format: "der" });
  const again = privateKey(toPem("EC PRIVATE KEY", sec1));
  const publicKey = createPublicKey(pemOf("PRIVATE KEY", again));
  assert.equal(publicKey.export({ type: "spki", format: "der" }), spki);
});

test("another kind of key, or none, is an error that quotes nothing", async () => {
  const ec = oidDer("1.2.840.10045.2.1");
  const p256 = oidDer("1.2.840.10045.3.1.7");
  const p384 = oidDer("1.3.132.0.34");
  const scalar = (bytes: number) => der(0x04, new Uint8Array(bytes).fill(7));
  const ecKey = (...fields: Uint8Array<ArrayBuffer>[]) => der(0x30, ...fields);
  const one = der(0x02, [1]);
  const pkcs8 = (key: Uint8Array, algorithm = der(0x30, ec, p256), version = 0) =>
    toPem("PRIVATE KEY", der(0x30, der(0x02, [version]), algorithm, der(0x04, key)));
  const sec1 = (key: Uint8Array): string => toPem("EC PRIVATE KEY", key);
  const good = ecKey(one, scalar(32));
  assert.type(privateKey(pkcs8(good)).length, "number");
  assert.type(privateKey(pkcs8(good, undefined, 1)).length, "number");
  assert.type(privateKey(sec1(ecKey(one, scalar(32), der(0xa0, p256)))).length, "number");
  const notP256 = "the key is not of ECDSA on P-256";
  const notPkcs8 = "the key is not PKCS #8";
  const table: [string, string][] = [
    ["", "no block PRIVATE KEY"],
    [PKCS8_KEY + PKCS8_KEY, "more than one block"],
    [PAIR, "more than one block"],
    [toPem("CERTIFICATE", FIRST), "a block CERTIFICATE in place of a private key"],
    [toPem("RSA PRIVATE KEY", FIRST), "a block RSA PRIVATE KEY in place of a private key"],
    [toPem("ENCRYPTED PRIVATE KEY", FIRST), "the key is encrypted"],
    [
      EC_KEY.replace("EC PRIVATE KEY-----\n", "EC PRIVATE KEY-----\nDEK-Info: a\n"),
      "a block with headers",
    ],
    [toPem("PRIVATE KEY", FIRST), notPkcs8],
    [toPem("PRIVATE KEY", ascii("secret")), notPkcs8],
    [pkcs8(good, undefined, 2), notPkcs8],
    [pkcs8(good, der(0x30, oidDer("1.2.840.113549.1.1.1"), der(0x05))), notP256],
    [pkcs8(good, der(0x30, ec, p384)), notP256],
    [pkcs8(good, der(0x30, ec)), notP256],
    [pkcs8(good, der(0x30, ec, p256, der(0x05))), notPkcs8],
    [pkcs8(ecKey(one, scalar(48))), notP256],
    [pkcs8(ecKey(one, scalar(32), der(0xa0, p384))), notP256],
    [pkcs8(ecKey(der(0x02, [2]), scalar(32))), notP256],
    [pkcs8(Uint8Array.from([...good, 0])), notP256],
    [sec1(good), notP256],
    [sec1(ecKey(one, scalar(48), der(0xa0, p384))), notP256],
    [sec1(ecKey(one, scalar(32), der(0xa0, p256), der(0xa1, der(0x03, [0, 4])))), notP256],
    [sec1(FIRST), notP256],
  ];
  for (const [text, reason] of table) assert.is(errorOf(privateKeyOfPem(text)), reason);
});

test.run();
