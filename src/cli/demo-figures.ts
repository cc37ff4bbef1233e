/** What the demo shows each second, asked of its sidecars. */
import type { EndpointView, ServiceView } from "../admin/endpoints-view.ts";
import type { IdentityView } from "../admin/identity-view.ts";
import type { Backend } from "./demo-backends.ts";
import type { DemoMesh } from "./demo-mesh.ts";
import type { DemoProcess } from "./demo-process.ts";
import type { Traffic } from "./demo-traffic.ts";

export type ReplicaFigures = {
  /** What its application is. */
  readonly label: string;
  /** Its sidecar's address; empty while it is down. */
  readonly address: string;
  /** As `shop` sees it; null: it does not know it, or not any more. */
  readonly endpoint: EndpointView | null;
  /** Of its certificate, milliseconds; null: it is down. */
  readonly certificateAgeMs: number | null;
};

export type Figures = {
  readonly seconds: number;
  /** Of the last second, sorted. */
  readonly latenciesMs: readonly number[];
  readonly succeeded: number;
  readonly failed: number;
  readonly echoes: number;
  readonly replicas: readonly ReplicaFigures[];
};

type Source = {
  readonly traffic: Traffic;
  readonly mesh: DemoMesh;
  readonly backends: readonly Backend[];
  readonly seconds: number;
};

export async function collect({ traffic, mesh, backends, seconds }: Source): Promise<Figures> {
  const view = await read<{ services: ServiceView[] }>(mesh.shop, "/endpoints");
  const known = (view?.services ?? []).flatMap(({ endpoints }) => endpoints);
  const replicas = await Promise.all(
    mesh.replicas.map(async (replica, index): Promise<ReplicaFigures> => {
      const address = `127.0.0.1:${replica.port("inbound")}`;
      const identity = await read<IdentityView>(replica, "/identity");
      // Not from its beginning, which is dated back for clocks that are slow.
      const bornMs = Date.parse(identity?.last_refresh ?? "");
      return {
        label: backends[index]?.label ?? "",
        address: replica.isRunning ? address : "",
        endpoint: known.find((endpoint) => endpoint.address === address) ?? null,
        certificateAgeMs: Number.isNaN(bornMs) ? null : Date.now() - bornMs,
      };
    }),
  );
  const { succeeded, failed, echoes } = traffic;
  return { seconds, latenciesMs: traffic.takeLatencies(), succeeded, failed, echoes, replicas };
}

async function read<T>(from: DemoProcess, path: string): Promise<T | null> {
  const response = await from.admin(path);
  return response?.status === 200 ? ((await response.json()) as T) : null;
}
