/** The flags of `run` that say who a sidecar is, and whom it lets in. */
import { NAMESPACE_DEFAULT, TRUST_DOMAIN_DEFAULT } from "../mesh/identity.ts";
import type { Flag } from "./keys.ts";
import { label, onOff, path, patterns, target, token, trustDomain } from "./values.ts";

export const IDENTITY = {
  namespace: {
    name: "--namespace",
    variable: "OUTRIGGER_NAMESPACE",
    placeholder: "NAME",
    fallback: NAMESPACE_DEFAULT,
    help: "the namespace of --name, and of short names elsewhere",
    parse: label,
  },
  trustDomain: {
    name: "--trust-domain",
    variable: "OUTRIGGER_TRUST_DOMAIN",
    placeholder: "NAME",
    fallback: null,
    fallbackText: `that of the token, else ${TRUST_DOMAIN_DEFAULT}`,
    help: "the trust domain of --name, and of short names elsewhere",
    parse: trustDomain,
  },
  control: {
    name: "--control",
    variable: "OUTRIGGER_CONTROL",
    placeholder: "HOST:PORT",
    fallback: null,
    fallbackText: "that of the token",
    help: "the control plane to join",
    parse: target,
  },
  token: {
    name: "--token",
    variable: "OUTRIGGER_TOKEN",
    placeholder: "TOKEN|@FILE",
    fallback: null,
    isSecret: true,
    help: "joins a mesh; from outrigger control token create",
    parse: token,
  },
  identityDir: {
    name: "--identity-dir",
    variable: "OUTRIGGER_IDENTITY_DIR",
    placeholder: "DIR",
    fallback: null,
    help: "certificates from elsewhere, tls.crt tls.key ca.crt, read again when they change",
    parse: path,
  },
  requireIdentity: {
    name: "--require-identity",
    variable: "OUTRIGGER_REQUIRE_IDENTITY",
    placeholder: null,
    fallback: "off",
    help: "refuses inbound clients that have not proved who they are",
    parse: onOff,
  },
  allowFrom: {
    name: "--allow-from",
    variable: "OUTRIGGER_ALLOW_FROM",
    placeholder: "LIST",
    fallback: null,
    fallbackText: "everybody",
    isRepeatable: true,
    help: "who may come in: names, *.SUFFIX, spiffe://…/*, or * for any identity",
    parse: patterns,
  },
} as const satisfies Readonly<Record<string, Flag>>;
