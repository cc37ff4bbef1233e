/** What `/services` shows: who serves what, as JSON and as text. */
import { formatHostPort, formatIp } from "../mesh/address.ts";
import type { Directory } from "./directory/directory.ts";

export type ServiceView = {
  readonly name: string;
  readonly endpoints: readonly EndpointView[];
};

export type EndpointView = {
  /** Where the application is, behind its sidecar. */
  readonly address: string;
  readonly inbound_port: number;
  readonly identity: string;
  readonly protocol: string;
  readonly weight: number;
  /** Its stream has ended, and it goes unless the sidecar comes back. */
  readonly leaving: boolean;
};

export function servicesView(directory: Directory): readonly ServiceView[] {
  return [...directory.services]
    .map(({ name, entries }) => ({
      name: name.canonical,
      endpoints: [...entries.values()].map(({ endpoint, lease }): EndpointView => {
        const { applicationPort, identity, inboundPort, ip, protocol, weight } = endpoint;
        return {
          address: formatHostPort(formatIp(ip), applicationPort),
          inbound_port: inboundPort,
          identity,
          protocol,
          weight,
          leaving: lease === null,
        };
      }),
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** A line for each service and, indented, one for each of its endpoints. */
export function servicesText(services: readonly ServiceView[]): string {
  const lines = services.flatMap(({ endpoints, name }) => [
    `${name}  ${endpoints.length} ${endpoints.length === 1 ? "endpoint" : "endpoints"}`,
    ...endpoints.map((each) => {
      const { address, identity, inbound_port: inbound, leaving, protocol, weight } = each;
      const words = [address, `inbound ${inbound}`, protocol, `weight ${weight}`, identity];
      return `  ${[...words, ...(leaving ? ["leaving"] : [])].join("  ")}`;
    }),
  ]);
  return lines.map((line) => `${line}\n`).join("");
}
