/** Who takes part in mutual TLS: one trust anchor, made anew for each run, and two workloads of it, the
 * clients and the service that they call. Each is a folder as `--identity-dir` takes it (RFC 7468 text),
 * with one file more that holds certificate and key together, as HAProxy takes them. */
import { mkdirSync, writeFileSync } from "node:fs";
import {
  type Authority,
  identityOf,
  issueCredentials,
  makeAuthority,
  toPem,
} from "../test/support/certificates.ts";

/** What outrigger prefers; the others are told to take it too, since their own first choice costs more. */
export const TLS_SUITE = "TLS_AES_128_GCM_SHA256";

const KEY_MODE = 0o600;

export interface IdentityFiles {
  readonly directory: string;
  /** The name that TLS asks for (RFC 6066, section 3) and that the certificate proves. */
  readonly dnsName: string;
  readonly certificate: string;
  readonly key: string;
  readonly certificateAndKey: string;
  readonly anchor: string;
}

export interface Identities {
  readonly client: IdentityFiles;
  readonly service: IdentityFiles;
}

/** Makes both below `directory`, valid until tomorrow; ECDSA P-256, as in a mesh. */
export async function makeIdentities(directory: string, service: string): Promise<Identities> {
  const authority = await makeAuthority();
  return {
    client: await makeIdentity(authority, `${directory}/identity-client`, "client"),
    service: await makeIdentity(authority, `${directory}/identity-service`, service),
  };
}

async function makeIdentity(
  authority: Authority,
  directory: string,
  name: string,
): Promise<IdentityFiles> {
  const identity = identityOf(name);
  const { certificates, key } = await issueCredentials(authority, identity);
  const files: IdentityFiles = {
    directory,
    dnsName: identity.dns,
    certificate: `${directory}/tls.crt`,
    key: `${directory}/tls.key`,
    certificateAndKey: `${directory}/haproxy.pem`,
    anchor: `${directory}/ca.crt`,
  };
  const chain = certificates.map((der) => toPem("CERTIFICATE", der)).join("");
  const keyText = toPem("PRIVATE KEY", key);
  mkdirSync(directory);
  writeFileSync(files.certificate, chain);
  writeFileSync(files.key, keyText, { mode: KEY_MODE });
  writeFileSync(files.certificateAndKey, chain + keyText, { mode: KEY_MODE });
  writeFileSync(files.anchor, toPem("CERTIFICATE", authority.root));
  return files;
}
