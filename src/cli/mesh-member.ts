/** A sidecar's part in the mesh: what discovery asks, what it announces, and how that goes. */
import { randomBytes } from "node:crypto";
import { Announcer } from "../control/announcer.ts";
import { AppProbe } from "../control/app-probe.ts";
import type { ControlLink } from "../control/link.ts";
import { MeshCalls } from "../control/mesh-calls.ts";
import { listeningPorts } from "../discovery/listening-ports.ts";
import { Mesh, type MeshDeps } from "../discovery/mesh.ts";
import type { Registry } from "../discovery/registry.ts";
import { setRuntimeTimer } from "../identity/source.ts";
import type { Logger } from "../lib/log.ts";
import type { StateFolder } from "../lib/state-folder.ts";
import { formatIp, isUnspecifiedIp } from "../mesh/address.ts";
import type { ListenerSpec, Speaks, ThreadStart } from "../mesh/snapshot.ts";
import type { ControlFigures } from "../metrics/control-figures.ts";
import { Protocol } from "../proto/announce_pb.ts";
import type { RunConfig } from "./config.ts";
import { addressOf } from "./listeners.ts";

/** Random bytes that tell this process from one before it at the same address. */
const INSTANCE_BYTES = 16;

export type MemberOptions = {
  readonly config: RunConfig;
  readonly link: ControlLink;
  readonly folder: StateFolder;
  readonly listeners: readonly ListenerSpec[];
  readonly app: ThreadStart["app"];
  readonly log: Logger;
};

export class MeshMember {
  readonly #options: MemberOptions;
  readonly #announcer: Announcer | null;
  readonly #probe: AppProbe | null;

  private constructor(options: MemberOptions, address: string) {
    const { app, log } = options;
    this.#options = options;
    this.#announcer = app === null ? null : announcerOf(options, app, address);
    const changed = (isAccepting: boolean): void => {
      if (!isAccepting) log.warn("the application does not accept connections any more");
      this.#announcer?.accept(isAccepting);
    };
    this.#probe = app === null ? null : new AppProbe({ app, changed, setTimer: setRuntimeTimer });
  }

  /** Throws StartError when --advertise cannot be resolved. */
  static async create(options: MemberOptions): Promise<MeshMember> {
    return new MeshMember(options, await advertised(options));
  }

  /** What the registry asks. */
  mesh(deps: MeshDeps): Mesh {
    const { app, config, folder, link } = this.#options;
    const { defaults } = config.identity;
    const source = new MeshCalls(link, `${defaults.namespace}:${config.name ?? ""}`);
    const appPort = app?.port ?? null;
    return new Mesh({
      source,
      defaults,
      store: folder,
      appPort,
      listening: listeningPorts,
      ...deps,
    });
  }

  /** Begins to announce, as soon as the application accepts. */
  start(registry: Registry): void {
    this.#options.link.onChange(() => registry.onLinkChange());
    registry.onLinkChange();
    this.#probe?.start();
  }

  /** Takes back what was announced; resolves when nobody should come any more. */
  async leave(): Promise<void> {
    this.#probe?.stop();
    await this.#announcer?.leave();
  }

  get figures(): ControlFigures {
    return { ...this.#options.link.figures, announced: this.#announcer?.figures ?? [] };
  }
}

function announcerOf(
  { config, link, listeners, log }: MemberOptions,
  { port, speaks }: { readonly port: number; readonly speaks: Speaks },
  address: string,
): Announcer {
  const inbound = listeners.find(({ kind }) => kind === "inbound");
  const isOpaque = config.opaquePorts.has(port);
  return new Announcer({
    link,
    services: config.announce.services,
    endpoint: {
      address,
      inboundPort: inbound?.port ?? 0,
      applicationPort: port,
      protocol: isOpaque ? Protocol.OPAQUE : protocolOf(speaks),
      weight: config.announce.weight,
      instance: randomBytes(INSTANCE_BYTES),
    },
    log,
  });
}

function protocolOf(speaks: Speaks): Protocol {
  if (speaks === "http1") return Protocol.HTTP1;
  return speaks === "http2" ? Protocol.HTTP2 : Protocol.DETECT;
}

/** Empty: as the control plane sees us. A listener on one address is reached by no other. */
async function advertised({ config, listeners }: MemberOptions): Promise<string> {
  const { advertise } = config.announce;
  if (advertise !== null) {
    return formatIp((await addressOf({ host: advertise, port: 0 }, "--advertise")).ip);
  }
  const ip = listeners.find(({ kind }) => kind === "inbound")?.ip;
  return ip === undefined || isUnspecifiedIp(ip) ? "" : formatIp(ip);
}
