/** The part of a policy file that says who may come in. */
import { expandName, type IdentityDefaults, identityFor } from "../../mesh/identity.ts";
import { parseNetwork } from "../../mesh/network.ts";
import type { Authorization } from "../../mesh/policy.ts";
import { DEFAULT_RULE, type PortRule } from "./policy.ts";
import { type Place, quoted } from "./yaml-place.ts";

/** Of one rule: each is looked at for each connection. */
const ENTRIES_MAX = 1_000;

type AccessFields = Partial<Record<"allow" | "networks" | "opaque", Place>>;
type Clients = Authorization["clients"];

/** A rule and what it was made of: of a rule that lets nobody in the networks are not in it. */
export type Access = {
  readonly rule: PortRule;
  readonly clients: readonly Clients[];
  readonly networks: Authorization["networks"];
};

const DEFAULT_ACCESS: Access = {
  rule: DEFAULT_RULE,
  clients: DEFAULT_RULE.authorizations.map(({ clients }) => clients),
  networks: [],
};

/** What is not said is as `above`: of a port, what holds for its service. */
export function parseAccess(
  fields: AccessFields,
  above: Access | null,
  defaults: IdentityDefaults,
): Access {
  const { allow, opaque } = fields;
  const whole = above ?? DEFAULT_ACCESS;
  const isOpaque = opaque?.flag() ?? whole.rule.isOpaque;
  const clients = allow === undefined ? whole.clients : parseAllow(allow, defaults);
  const networks = fields.networks === undefined ? whole.networks : parseNetworks(fields.networks);
  const authorizations = clients.map((each) => ({ networks, clients: each }));
  return { rule: { isOpaque, authorizations }, clients, networks };
}

function parseAllow(place: Place, defaults: IdentityDefaults): readonly Clients[] {
  const items = place.list("names, *.NAMESPACE, meshed or anyone");
  if (items.length > ENTRIES_MAX) place.fail(`more than ${ENTRIES_MAX} entries`);
  const identities: string[] = [];
  const suffixes: string[] = [];
  const others: Clients[] = [];
  for (const item of items) {
    const text = item.text("a name, *.NAMESPACE, meshed or anyone");
    if (text === "anyone" || text === "meshed") others.push({ kind: text });
    else if (text.startsWith("*.")) suffixes.push(suffixOf(item, text.slice(2), defaults));
    else identities.push(nameOf(item, text, defaults));
  }
  const isNamed = identities.length + suffixes.length > 0;
  return [...others, ...(isNamed ? [{ kind: "named" as const, identities, suffixes }] : [])];
}

/** The names of a whole namespace end in it and what follows. */
function suffixOf(place: Place, namespace: string, { trustDomain }: IdentityDefaults): string {
  const name = namespace.includes(".") ? null : identityFor("x", namespace, trustDomain)?.dns;
  if (name === null || name === undefined) {
    return place.fail(`${quoted(`*.${namespace}`)}: ${quoted(namespace)} is no namespace`);
  }
  return name.slice(1);
}

/** Returns the whole name that a workload's certificate has: of NAME, NAME.NS, or as it is. */
export function parseName(place: Place, defaults: IdentityDefaults): string {
  return nameOf(place, place.text("a name"), defaults);
}

function nameOf(place: Place, text: string, defaults: IdentityDefaults): string {
  return expandName(text, defaults) ?? place.fail(`${quoted(text)} is no name of a workload`);
}

function parseNetworks(place: Place): Authorization["networks"] {
  const items = place.list("address blocks such as 10.0.0.0/8");
  if (items.length === 0) place.fail("a list of no networks lets nobody in: leave it out");
  if (items.length > ENTRIES_MAX) place.fail(`more than ${ENTRIES_MAX} entries`);
  return items.map((item) => {
    const text = item.text("an address block such as 10.0.0.0/8");
    const net = parseNetwork(text);
    if (net === null) return item.fail(`${quoted(text)} is no address block such as 10.0.0.0/8`);
    return { net, except: [] };
  });
}
