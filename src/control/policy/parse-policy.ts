/** Reads a policy file: YAML, see docs/policy.md. The one thing wrong with it is told with its line. */
import { LineCounter, parseDocument } from "yaml";
import type { IdentityDefaults } from "../../mesh/identity.ts";
import { parseServiceName } from "../../mesh/service-name.ts";
import { identityIn } from "./names.ts";
import { type Access, parseAccess, parseName } from "./parse-access.ts";
import { parseRoutes, parseSplit, SENDING_KEYS } from "./parse-routes.ts";
import { MeshPolicy, type PortRule, type ServicePolicy } from "./policy.ts";
import { type Item, Place, PolicyFault, quoted } from "./yaml-place.ts";

/** As many as the control plane knows. */
const SERVICES_MAX = 16_384;
const PORT_MAX = 65_535;

export type Refused = {
  /** From 1. */
  readonly line: number;
  readonly reason: string;
};

/** Returns the policy, or what is wrong first. Never throws, whatever the text. */
export function parsePolicy(text: string, defaults: IdentityDefaults): MeshPolicy | Refused {
  try {
    return policyOf(text, defaults);
  } catch (error) {
    if (error instanceof PolicyFault) return { line: error.line, reason: error.message };
    // The parser recurses, and the stack is what ends it.
    if (error instanceof RangeError) return { line: 1, reason: "it is nested too deeply" };
    throw error;
  }
}

function policyOf(text: string, defaults: IdentityDefaults): MeshPolicy {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    version: "1.2",
    // It compares each key with all others, and takes 80 and "80" for two.
    uniqueKeys: false,
  });
  const [bad] = [...document.errors, ...document.warnings];
  if (bad !== undefined) {
    throw new PolicyFault(lines.linePos(bad.pos[0]).line || 1, bad.message.replace(/\s+/g, " "));
  }
  // Half a file would open what the whole one closes.
  if (document.contents === null)
    throw new PolicyFault(1, "it is empty; without any: services: {}");
  const whole = new Place(document.contents, lines, 1);
  const fields = whole.fields(["services"], "services:");
  if (fields.services === undefined) whole.fail("expected services:");
  const items = fields.services?.entries("services by their names") ?? [];
  if (items.length > SERVICES_MAX) whole.fail(`more than ${SERVICES_MAX} services`);
  const services = new Map<string, ServicePolicy>();
  for (const item of items) {
    const service = serviceOf(item, defaults);
    const { canonical } = service.service;
    if (services.has(canonical)) {
      throw new PolicyFault(item.keyLine, `${quoted(item.key)}: ${canonical} is there twice`);
    }
    services.set(canonical, service);
  }
  return new MeshPolicy([...services.values()], identityIn(defaults.trustDomain));
}

function serviceOf({ key, keyLine, value }: Item, defaults: IdentityDefaults): ServicePolicy {
  const service = parseServiceName(key, defaults);
  if (service === null) throw new PolicyFault(keyLine, `${quoted(key)} is no name of a service`);
  const keys = [
    "allow",
    "networks",
    "opaque",
    "ports",
    "routes",
    ...SENDING_KEYS,
    "announcers",
  ] as const;
  const fields = value.fields(keys, "what holds for the service");
  const access = parseAccess(fields, null, defaults);
  const announcers = fields.announcers?.list("names of who may announce it") ?? [];
  return {
    service,
    access: access.rule,
    ports: portsOf(fields.ports, access, defaults),
    routes: parseRoutes(fields, defaults),
    split: fields.split === undefined ? [] : parseSplit(fields.split, defaults),
    announcers: new Set(announcers.map((each) => parseName(each, defaults))),
  };
}

function portsOf(
  place: Place | undefined,
  above: Access,
  defaults: IdentityDefaults,
): ReadonlyMap<number, PortRule> {
  const ports = new Map<number, PortRule>();
  for (const { key, keyLine, value } of place?.entries("rules by ports") ?? []) {
    const port = /^[1-9][0-9]{0,4}$/.test(key) ? Number(key) : 0;
    if (port === 0 || port > PORT_MAX) throw new PolicyFault(keyLine, `${quoted(key)} is no port`);
    const fields = value.fields(["allow", "networks", "opaque"], "what holds for the port");
    ports.set(port, parseAccess(fields, above, defaults).rule);
  }
  return ports;
}
