/**
 * Everybody that a sidecar must not let in, as clients: each kind of certificate that is not that of
 * a workload of this mesh, with the counter by which it is refused. The short form is for CI, the
 * long one (test/soak/strangers.ts) has the same table.
 */
import type { CounterName } from "../../src/metrics/catalog.ts";
import { type EkuName, type IssueOptions, makeAuthority } from "./certificates.ts";
import { CALLER, clientOf, type Mesh, namesOf } from "./mtls-rig.ts";
import { TlsParty } from "./tls-engine.ts";

const HOUR_MS = 3_600_000;
const hours = (count: number): Date => new Date(Date.now() + count * HOUR_MS);

export type Stranger = {
  readonly who: string;
  readonly party: TlsParty;
  readonly counter: CounterName;
};

type Kind = readonly [who: string, options: IssueOptions, counter: CounterName];

const NAMES = namesOf(CALLER);
const EKUS = (...eku: readonly EkuName[]): IssueOptions => ({ ...NAMES, eku });

/** Leaves under the mesh's own issuer. */
const KINDS: readonly Kind[] = [
  ["with a self-signed certificate", { ...NAMES, isSelfSigned: true }, "tls_server_untrusted"],
  [
    "with an expired certificate",
    { ...NAMES, notBefore: hours(-2), notAfter: hours(-1) },
    "tls_server_expired",
  ],
  ["with a certificate of tomorrow", { ...NAMES, notBefore: hours(1) }, "tls_server_not_yet_valid"],
  ["with a CA's certificate", { ...NAMES, isCa: true }, "tls_server_identity"],
  [
    "with a certificate that may sign others",
    { ...NAMES, keyUsage: ["digitalSignature", "keyCertSign"] },
    "tls_server_identity",
  ],
  ["with a certificate for mail", EKUS("emailProtection"), "tls_server_wrong_usage"],
  ["with a certificate for servers only", EKUS("serverAuth"), "tls_server_wrong_usage"],
  ["with a certificate for anything", EKUS("any"), "tls_server_wrong_usage"],
  ["with a certificate without a usage", { ...NAMES, eku: null }, "tls_server_identity"],
  ["without a name", {}, "tls_server_identity"],
  ["with a common name only", { subject: `CN=${CALLER.dns}` }, "tls_server_identity"],
  [
    "with two SPIFFE IDs",
    { uris: [CALLER.uri, "spiffe://cluster.local/ns/default/sa/web"] },
    "tls_server_identity",
  ],
  ["with two DNS names", { dns: [CALLER.dns, `a.${CALLER.dns}`] }, "tls_server_identity"],
  ["with a NUL in its name", { dns: [`${CALLER.dns}\0.evil.example`] }, "tls_server_identity"],
  ["with a wildcard", { dns: [`*.${CALLER.dns}`] }, "tls_server_identity"],
  ["with an IP address for a name", { ips: [Uint8Array.of(127, 0, 0, 1)] }, "tls_server_identity"],
  ["with a mail address for a name", { emails: [`x@${CALLER.dns}`] }, "tls_server_identity"],
  ["with its names twice", { ...NAMES, hasSanTwice: true }, "tls_server_protocol"],
  [
    "with an unknown critical extension",
    {
      ...NAMES,
      extensions: [{ oid: "1.3.6.1.4.1.55555.1", isCritical: true, value: Uint8Array.of(5, 0) }],
    },
    "tls_server_untrusted",
  ],
];

const RSA: RsaHashedKeyGenParams = {
  name: "RSASSA-PKCS1-v1_5",
  modulusLength: 2048,
  publicExponent: Uint8Array.of(1, 0, 1),
  hash: "SHA-256",
};

/** All strangers of a mesh. */
export async function strangersOf(mesh: Mesh): Promise<readonly Stranger[]> {
  const { anchor, issuer, foreign } = mesh;
  const nobody: Stranger = {
    who: "without a certificate",
    party: new TlsParty({ role: "client" }),
    counter: "tls_server_no_certificate",
  };
  const strangers: Stranger[] = [nobody];
  const add = (who: string, counter: CounterName, issued: Parameters<typeof clientOf>[0]): void => {
    strangers.push({ who, counter, party: clientOf(issued) });
  };
  for (const [who, options, counter] of KINDS) add(who, counter, await issuer.issue(options));
  add("of another anchor of the same name", "tls_server_untrusted", await foreign.issue(NAMES));
  const past = { notBefore: hours(-2), notAfter: hours(-1) };
  const expired = await makeAuthority({ parent: anchor, ...past });
  add("of an expired issuer", "tls_server_expired", await expired.issue(NAMES));
  // The leaf of a workload, played as an issuer.
  const leaf = await makeAuthority({
    parent: anchor,
    isCa: false,
    keyUsage: ["digitalSignature"],
    eku: ["serverAuth", "clientAuth"],
    ...NAMES,
  });
  add("issued by a workload", "tls_server_untrusted", await leaf.issue(NAMES));
  const whole = await issuer.issue(NAMES);
  add("without its intermediate", "tls_server_untrusted", {
    certificates: whole.certificates.slice(0, 1),
    key: whole.key,
  });
  add(
    "with a key of RSA",
    "tls_server_identity",
    await issuer.issue({ ...NAMES, keys: await rsaKeys() }),
  );
  const p384 = { name: "ECDSA", namedCurve: "P-384" };
  const keys = await crypto.subtle.generateKey(p384, true, ["sign", "verify"]);
  add("with a key of P-384", "tls_server_identity", await issuer.issue({ ...NAMES, keys }));
  return strangers;
}

async function rsaKeys(): Promise<CryptoKeyPair> {
  return await crypto.subtle.generateKey(RSA, true, ["sign", "verify"]);
}
