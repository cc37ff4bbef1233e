/** What workloads are called that have a service's name. */
import { identityFor } from "../../mesh/identity.ts";
import type { ServiceName } from "../../mesh/service-name.ts";

/** Returns the DNS-like name that a certificate of that workload has. */
export function identityIn(trustDomain: string): (service: ServiceName) => string {
  return ({ name, namespace }) => identityFor(name, namespace, trustDomain)?.dns ?? "";
}
