/**
 * Whom a certificate is for, by its subject alternative names and nothing else: the common name is
 * never looked at, nor are e-mail and IP addresses. One DNS-like name, one SPIFFE ID, or one of each;
 * what could be read as two identities is none.
 */
import type { GeneralNames } from "../codec/x509/general-names.ts";
import type { Identity } from "../mesh/credentials.ts";
import { parseDnsName, parseSpiffeId } from "../mesh/identity.ts";

export type IdentityFault = "no-identity" | "ambiguous-identity";

/**
 * Returns the identity in these names (null: the certificate has none), or why there is none. Two
 * DNS names or two URIs are ambiguous, be they equal or only one of them an identity (SPIFFE
 * X509-SVID §2). A single one that is no identity, such as a wildcard, makes the whole no identity.
 */
export function certifiedIdentity(names: GeneralNames | null): Identity | IdentityFault {
  if (names === null) return "no-identity";
  const [dnsText] = names.dns;
  const [uriText] = names.uri;
  if (names.dns.length > 1 || names.uri.length > 1) return "ambiguous-identity";
  if (dnsText === undefined && uriText === undefined) return "no-identity";
  const dns = dnsText === undefined ? null : parseDnsName(dnsText);
  const uri = uriText === undefined ? null : parseSpiffeId(uriText);
  const isBad = (dnsText !== undefined && dns === null) || (uriText !== undefined && uri === null);
  return isBad ? "no-identity" : { dns, uri };
}
