import "reflect-metadata";

import { Pkcs10CertificateRequest, SubjectAlternativeNameExtension } from "@peculiar/x509";
import * as assert from "uvu/assert";
import { makeKeyAndCsr } from "../../src/identity/csr.ts";
import type { Identity } from "../../src/mesh/credentials.ts";
import { suite } from "../support/test.ts";
import { findTool, runTool } from "../support/tool.ts";

const test = suite("identity/csr");

const WEB = {
  dns: "web.default.serviceaccount.identity.outrigger.cluster.local",
  uri: "spiffe://cluster.local/ns/default/sa/web",
};
const LONG_LABEL = "a".repeat(63);
const LONG = {
  dns: `${LONG_LABEL}.${LONG_LABEL}.serviceaccount.identity.outrigger.cluster.local`,
  uri: null,
};

function namesIn(csr: Uint8Array<ArrayBuffer>): unknown {
  const request = new Pkcs10CertificateRequest(csr);
  const [extension] = request.extensions;
  if (!(extension instanceof SubjectAlternativeNameExtension)) throw new Error("no names");
  assert.is(request.extensions.length, 1);
  return extension.names.toJSON();
}

test("a request has the names of the identity, no subject, and is signed by its key", async () => {
  const table: [Identity, unknown][] = [
    [
      WEB,
      [
        { type: "dns", value: WEB.dns },
        { type: "url", value: WEB.uri },
      ],
    ],
    [{ dns: null, uri: WEB.uri }, [{ type: "url", value: WEB.uri }]],
    [LONG, [{ type: "dns", value: LONG.dns }]],
  ];
  for (const [identity, names] of table) {
    const { csr } = await makeKeyAndCsr(identity);
    const request = new Pkcs10CertificateRequest(csr);
    assert.equal(namesIn(csr), names);
    assert.is(request.subject, "");
    assert.ok(await request.verify());
  }
});

test("the key is the one of the request, and another each time", async () => {
  const [one, two] = [await makeKeyAndCsr(WEB), await makeKeyAndCsr(WEB)];
  assert.not.equal(one.key, two.key);
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  const key = await crypto.subtle.importKey("pkcs8", one.key, algorithm, true, ["sign"]);
  const { x, y } = await crypto.subtle.exportKey("jwk", key);
  const spki = Buffer.from(new Pkcs10CertificateRequest(one.csr).publicKey.rawData);
  const point = [x, y].map((part) => Buffer.from(part ?? "", "base64url"));
  assert.equal(spki.subarray(27), Buffer.concat(point));
});

test("a thousand signatures, with leading zeros and high bits among them, all verify", async () => {
  for (let i = 0; i < 1_000; i++) {
    const { csr } = await makeKeyAndCsr(WEB);
    assert.ok(await new Pkcs10CertificateRequest(csr).verify());
  }
});

test("openssl takes the request", async () => {
  const openssl = findTool("openssl");
  if (openssl === null) throw new Error("openssl is not installed");
  const { csr } = await makeKeyAndCsr(WEB);
  const pem = `-----BEGIN CERTIFICATE REQUEST-----\n${Buffer.from(csr).toString("base64")}\n-----END CERTIFICATE REQUEST-----\n`;
  const { status, output } = await runTool(openssl, ["req", "-verify", "-noout", "-text"], pem);
  assert.is(status, 0, output);
  assert.ok(output.includes(`DNS:${WEB.dns}, URI:${WEB.uri}`), output);
  assert.ok(output.includes("ASN1 OID: prime256v1"), output);
});

test.run();
