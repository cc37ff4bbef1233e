/** Discovery's calls over the link: messages of linkerd2-proxy-api to bytes and back. */

import type { Message } from "@bufbuild/protobuf";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import type { MeshSource, StopWatching, Watcher } from "../discovery/mesh-source.ts";
import { DEFAULT_PORT } from "../mesh/authority.ts";
import { GetDestinationSchema, type Update, UpdateSchema } from "../proto/destination_pb.ts";
import { PortSpecSchema, type Server, ServerSchema } from "../proto/inbound_pb.ts";
import {
  type OutboundPolicy,
  OutboundPolicySchema,
  TrafficSpecSchema,
} from "../proto/outbound_pb.ts";
import type { ControlLink } from "./link.ts";
import { GET_DESTINATION, WATCH_OUTBOUND, WATCH_PORT } from "./names.ts";

export class MeshCalls implements MeshSource {
  readonly #link: ControlLink;
  /** `NAMESPACE:NAME`. */
  readonly #workload: string;

  constructor(link: ControlLink, workload: string) {
    this.#link = link;
    this.#workload = workload;
  }

  get state(): MeshSource["state"] {
    return this.#link.state;
  }

  watchEndpoints(service: string, watcher: Watcher<Update>): StopWatching {
    const request = create(GetDestinationSchema, { path: `${service}:${DEFAULT_PORT}` });
    const bytes = toBinary(GetDestinationSchema, request);
    return this.#link.watch(GET_DESTINATION, bytes, decoding(UpdateSchema, watcher));
  }

  watchRoutes(service: string, watcher: Watcher<OutboundPolicy>): StopWatching {
    const request = create(TrafficSpecSchema, {
      sourceWorkload: this.#workload,
      target: { case: "authority", value: `${service}:${DEFAULT_PORT}` },
    });
    const bytes = toBinary(TrafficSpecSchema, request);
    return this.#link.watch(WATCH_OUTBOUND, bytes, decoding(OutboundPolicySchema, watcher));
  }

  watchPort(port: number, watcher: Watcher<Server>): StopWatching {
    const bytes = toBinary(
      PortSpecSchema,
      create(PortSpecSchema, { workload: this.#workload, port }),
    );
    return this.#link.watch(WATCH_PORT, bytes, decoding(ServerSchema, watcher));
  }
}

function decoding<T extends Message>(
  schema: GenMessage<T>,
  watcher: Watcher<T>,
): Watcher<Uint8Array> {
  return {
    onMessage: (bytes, isFirst) => watcher.onMessage(fromBinary(schema, bytes), isFirst),
    onRefused: (refusal, text) => watcher.onRefused(refusal, text),
  };
}
