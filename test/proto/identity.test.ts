/** The identity service's messages on the wire, byte for byte, against fields laid out by hand. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import * as assert from "uvu/assert";
import {
  CertifyRequestSchema,
  CertifyResponseSchema,
  file_identity,
  Identity,
} from "../../src/proto/identity_pb.ts";
import { seeded } from "../support/random.ts";
import { suite } from "../support/test.ts";

const test = suite("proto/identity");

/** Wire type 2, length-delimited, of the protobuf encoding; lengths here are below 2^14. */
function bytesField(number: number, value: Uint8Array): number[] {
  const tag = (number << 3) | 2;
  const tagBytes = tag < 0x80 ? [tag] : [(tag & 0x7f) | 0x80, tag >> 7];
  const { length } = value;
  const lengthBytes = length < 0x80 ? [length] : [(length & 0x7f) | 0x80, length >> 7];
  return [...tagBytes, ...lengthBytes, ...value];
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

const NAME = "web.default.serviceaccount.identity.outrigger.cluster.local";

test("a CertifyRequest has identity, token and CSR as fields 1, 2 and 3", () => {
  const random = seeded("proto/identity request");
  const token = random.bytes(40);
  const certificateSigningRequest = random.bytes(300);
  const wire = Uint8Array.from([
    ...bytesField(1, text(NAME)),
    ...bytesField(2, token),
    ...bytesField(3, certificateSigningRequest),
  ]);
  const message = create(CertifyRequestSchema, {
    identity: NAME,
    token,
    certificateSigningRequest,
  });
  assert.equal(toBinary(CertifyRequestSchema, message), wire);
  const back = fromBinary(CertifyRequestSchema, wire);
  assert.is(back.identity, NAME);
  assert.equal(new Uint8Array(back.token), token);
  assert.equal(new Uint8Array(back.certificateSigningRequest), certificateSigningRequest);
});

test("a CertifyResponse has leaf, intermediates, expiry and anchors as 1, 2, 3 and 16", () => {
  const random = seeded("proto/identity response");
  const leafCertificate = random.bytes(500);
  const intermediateCertificates = [random.bytes(400), random.bytes(1)];
  const trustAnchors = [random.bytes(130), random.bytes(127)];
  // 1,700,000,000 s as a varint, and 5 ns times 10^6 likewise (Timestamp's fields 1 and 2).
  const seconds = [0x80, 0xe2, 0xcf, 0xaa, 0x06];
  const nanos = [0xc0, 0x96, 0xb1, 0x02];
  const wire = Uint8Array.from([
    ...bytesField(1, leafCertificate),
    ...intermediateCertificates.flatMap((each) => bytesField(2, each)),
    ...bytesField(3, Uint8Array.from([0x08, ...seconds, 0x10, ...nanos])),
    ...trustAnchors.flatMap((each) => bytesField(16, each)),
  ]);
  const message = create(CertifyResponseSchema, {
    leafCertificate,
    intermediateCertificates,
    validUntil: timestampFromMs(1_700_000_000_005),
    trustAnchors,
  });
  assert.equal(toBinary(CertifyResponseSchema, message), wire);
  assert.equal(fromBinary(CertifyResponseSchema, wire), message);
});

test("what Linkerd answers, without anchors of ours, is understood", () => {
  const wire = Uint8Array.from(bytesField(1, text("leaf")));
  const back = fromBinary(CertifyResponseSchema, wire);
  assert.equal(back.trustAnchors, []);
  assert.is(back.validUntil, undefined);
});

test("cut or foreign bytes are refused, and unknown fields are skipped", () => {
  const wire = Uint8Array.from(bytesField(2, text("token")));
  for (let length = 1; length < wire.length; length++) {
    assert.throws(() => fromBinary(CertifyRequestSchema, wire.subarray(0, length)));
  }
  const more = Uint8Array.from([...wire, ...bytesField(99, text("?"))]);
  assert.equal(new Uint8Array(fromBinary(CertifyRequestSchema, more).token), text("token"));
});

test("the method's path is Linkerd's", () => {
  const { parent, name } = Identity.method.certify;
  assert.is(`/${parent.typeName}/${name}`, "/io.linkerd.proxy.identity.Identity/Certify");
  assert.is(file_identity.proto.package, "io.linkerd.proxy.identity");
});

test.run();
