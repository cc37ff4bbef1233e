/**
 * Connections of all kinds through a sidecar, one after the other in some lanes at once, each opened
 * and closed: a request of its own, TLS for another that passes untouched, raw bytes, and ones that
 * break off or are reset at each stage.
 */
import { connect, type Socket } from "node:net";
import { clientHello } from "./client-hello.ts";

/** At once. */
const LANES = 64;
/** One that has got neither its answer nor an end by then is lost. */
const PATIENCE_MS = 20_000;

export type MixedPorts = {
  /** Inbound, to an HTTP/1 application. */
  readonly http: number;
  /** Carries raw bytes to an echo. */
  readonly echo: number;
};

type Kind = {
  readonly to: keyof MixedPorts;
  readonly sends: Uint8Array;
  /** What must have come before it is over; null: it is not waited for. */
  readonly until: ((text: string) => boolean) | null;
  readonly isReset: boolean;
};

const ascii = (text: string): Uint8Array => Buffer.from(text, "latin1");
const REQUEST = "GET / HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n";
const hello = clientHello({ sni: "somebody.else.example", alpn: ["h2", "http/1.1"] });
const isAnswered = (text: string): boolean => text.startsWith("HTTP/1.1 200 ");
const isEcho = (text: string): boolean => text === "SSH-2.0-echo\r\n";

/** A kind's name says what becomes of it. */
export const KINDS = {
  "a request": { to: "http", sends: ascii(REQUEST), until: isAnswered, isReset: false },
  // The application is not one of TLS, and says so: the hello has reached it.
  "TLS for another": { to: "http", sends: hello, until: (text) => text !== "", isReset: false },
  "raw bytes": { to: "echo", sends: ascii("SSH-2.0-echo\r\n"), until: isEcho, isReset: false },
  "raw bytes, then reset": {
    to: "echo",
    sends: ascii("SSH-2.0-echo\r\n"),
    until: isEcho,
    isReset: true,
  },
  silence: { to: "http", sends: ascii(""), until: null, isReset: false },
  "reset at once": { to: "http", sends: ascii(""), until: null, isReset: true },
  "half a head": { to: "http", sends: ascii("GET / HT"), until: null, isReset: false },
  "half a hello, reset": { to: "http", sends: hello.slice(0, 40), until: null, isReset: true },
  "a request, not waited for": { to: "http", sends: ascii(REQUEST), until: null, isReset: true },
} as const satisfies Record<string, Kind>;

const kinds: readonly Kind[] = Object.values(KINDS);

/** Opens and closes `count` of them, the kinds in turn. Returns how many missed their answer. */
export async function mixedConnections(ports: MixedPorts, count: number): Promise<number> {
  let begun = 0;
  let missing = 0;
  const lane = async (): Promise<void> => {
    while (begun < count) {
      const kind = kinds[begun++ % kinds.length];
      if (kind !== undefined && !(await one(ports[kind.to], kind))) missing++;
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return missing;
}

/** Resolves, when it is over, to whether it got what it waited for. */
function one(port: number, { sends, until, isReset }: Kind): Promise<boolean> {
  return new Promise((resolve) => {
    let text = "";
    let isOver = false;
    const socket: Socket = connect({ port, host: "127.0.0.1", noDelay: true });
    const over = (): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      if (isReset) socket.resetAndDestroy();
      else socket.destroy();
      resolve(until === null || until(text));
    };
    const timer = setTimeout(over, PATIENCE_MS);
    socket.on("error", over);
    socket.on("close", over);
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      if (until?.(text) === true) over();
    });
    socket.on("connect", () => {
      if (sends.length === 0) over();
      else if (until === null) socket.write(sends, over);
      else socket.write(sends);
    });
  });
}
