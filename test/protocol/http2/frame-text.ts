/** Frames as short text, so that a test's expectation and its failure can be read at a glance. */
import { Flag, type Frame, FrameType } from "../../support/http2-frames.ts";
import { nameOf } from "../../support/http2-state.ts";

/** Such as `RST_STREAM 1 cancel`, `DATA 3 16384 end`, `WINDOW_UPDATE 0 +512`, `SETTINGS ack`. */
export function frameText({ type, flags, stream, payload }: Frame): string {
  const end = (flags & Flag.endStream) !== 0 ? " end" : "";
  const more = (flags & Flag.endHeaders) === 0 ? " more" : "";
  switch (type) {
    case FrameType.data:
      return `DATA ${stream} ${payload.length}${end}`;
    case FrameType.headers:
      return `HEADERS ${stream}${more}${end}`;
    case FrameType.continuation:
      return `CONTINUATION ${stream}${more}`;
    case FrameType.rstStream:
      return `RST_STREAM ${stream} ${nameOf(payload.readUInt32BE())}`;
    case FrameType.settings:
      return (flags & Flag.ack) === 0 ? `SETTINGS ${payload.toString("hex")}` : "SETTINGS ack";
    case FrameType.ping:
      return `PING ${payload.toString("latin1")}${(flags & Flag.ack) === 0 ? "" : " ack"}`;
    case FrameType.goAway:
      return `GOAWAY ${payload.readUInt32BE()} ${nameOf(payload.readUInt32BE(4))}`;
    case FrameType.windowUpdate:
      return `WINDOW_UPDATE ${stream} +${payload.readUInt32BE()}`;
    default:
      return `frame of type ${type}`;
  }
}
