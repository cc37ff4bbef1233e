// timeout: 180s
// Certificates, damaged at random; see test/support/fuzz.ts to run longer.
import * as assert from "uvu/assert";
import { readCertificate } from "../../src/codec/x509/certificate.ts";
import { DerReader } from "../../src/codec/x509/der.ts";
import { PEER_REFUSALS, PeerVerifier } from "../../src/identity/verify-peer.ts";
import { ascii, certificate, extension, MADE_BY_OPENSSL, OID } from "../codec/x509/parts.ts";
import { der, oidDer } from "../support/certificates.ts";
import { FUZZ_TIMEOUT_MS, fuzz } from "../support/fuzz.ts";
import type { Random } from "../support/random.ts";
import { suite } from "../support/test.ts";
import { mutatedBytes } from "./mutate.ts";

const test = suite("fuzz/x509");
test.timeout(FUZZ_TIMEOUT_MS);

const NAMES = der(0x30, der(0x82, ascii("web.example")), der(0x86, ascii("spiffe://td/web")));
const PURPOSES = der(0x30, oidDer("1.3.6.1.5.5.7.3.1"), oidDer("1.3.6.1.5.5.7.3.2"));

/** Damages the values of extensions and keeps all lengths around them right. */
function anyCertificate(random: Random): Uint8Array<ArrayBuffer> {
  const maybe = (bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> =>
    random.chance(0.5) ? mutatedBytes(random, bytes) : bytes;
  return certificate({
    ...(random.chance(0.2) ? { serial: der(0x02, random.bytes(random.below(24))) } : {}),
    ...(random.chance(0.2) ? { notAfter: maybe(der(0x17, ascii("270101000000Z"))) } : {}),
    extensions: [
      extension(OID.names, maybe(NAMES)),
      extension(OID.purposes, maybe(PURPOSES)),
      extension(OID.keyUsage, maybe(der(0x03, [7, 0x80]))),
      extension(OID.basicConstraints, maybe(der(0x30, der(0x01, [0xff]), der(0x02, [3])))),
      extension(maybe(OID.other), random.bytes(random.below(8)), maybe(der(0x01, [0xff]))),
    ],
  });
}

function assertSound(bytes: Uint8Array): void {
  const facts = readCertificate(bytes);
  if ("error" in facts) {
    assert.ok(facts.error.length > 0);
    return;
  }
  // A certificate that is read is one value of DER, and nothing can be cut off or added.
  const reader = DerReader.over(bytes);
  reader.skip();
  reader.finish();
  assert.is(reader.error, null);
  assert.ok("error" in readCertificate(bytes.subarray(0, -1)));
  assert.ok(Number.isSafeInteger(facts.notBeforeMs) && Number.isSafeInteger(facts.notAfterMs));
  assert.ok(facts.serial.length >= 1 && facts.serial.length <= 20);
  assert.ok(facts.pathLength === null || facts.isCa);
  assert.is.not(facts.keyUsage, 0);
}

test("damage anywhere makes an error or another certificate, never a throw", () => {
  fuzz("damaged certificates", (random) => {
    assertSound(mutatedBytes(random, random.chance(0.5) ? MADE_BY_OPENSSL : certificate()));
  });
});

test("damage within the extensions", () => {
  fuzz("damaged extensions", (random) => assertSound(anyCertificate(random)));
});

test("bytes that look like DER", () => {
  const tags = [0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x17, 0x30, 0x31, 0x82, 0xa0, 0xa3];
  fuzz("random DER", (random) => {
    const value = (depth: number): Uint8Array<ArrayBuffer> => {
      const tag = random.pick(tags);
      if ((tag & 0x20) === 0 || depth > 20) return der(tag, random.bytes(random.below(6)));
      return der(tag, ...Array.from({ length: random.below(4) }, () => value(depth + 1)));
    };
    assertSound(value(0));
  });
});

test("no damaged chain is anybody", () => {
  const verifier = new PeerVerifier([MADE_BY_OPENSSL]);
  fuzz("damaged chains", (random) => {
    const chain = Array.from({ length: random.below(4) }, () =>
      random.chance(0.5) ? anyCertificate(random) : mutatedBytes(random, MADE_BY_OPENSSL),
    );
    const peer = verifier.verify(chain, random.pick(["client", "server"]), 0);
    assert.ok("refused" in peer && PEER_REFUSALS.includes(peer.refused));
  });
});

test.run();
