/**
 * TLS peers over a socket for tests, with an engine of their own: a client that knocks at a sidecar,
 * a server that a sidecar dials. They say what they are told, trust everybody, and keep what came.
 */
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { eventually } from "./eventually.ts";
import { later } from "./later.ts";
import type { TlsEngine, TlsParty } from "./tls-engine.ts";

/** A handshake takes some 5 ms; a busy machine many times that. */
const WITHIN_MS = 5_000;

export type PeerEnd = "open" | "close_notify" | "cut" | "reset" | "alert";

export class TlsPeer {
  readonly engine: TlsEngine;
  readonly socket: Socket;
  /** Plaintext that came, one character each. */
  text = "";
  /** Ciphertext that came. */
  receivedBytes = 0;
  /** How the other side ended its stream; `cut` is a FIN without close_notify. */
  end: PeerEnd = "open";
  /** Called upon each change. */
  onChange: (peer: TlsPeer) => void = () => {};
  #isClosed = false;

  constructor(socket: Socket, engine: TlsEngine) {
    this.socket = socket;
    this.engine = engine;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    socket.on("error", () => this.#over("reset"));
    socket.on("end", () => this.#over("cut"));
    socket.on("close", () => this.#over("cut"));
  }

  /** Connects and says hello; the handshake goes on by itself. */
  static async connect(port: number, party: TlsParty, sni: string | null): Promise<TlsPeer> {
    const peer = await TlsPeer.open(port, party.engine(sni));
    peer.step();
    return peer;
  }

  /** Connects only: the test sends the first bytes. */
  static open(port: number, engine: TlsEngine): Promise<TlsPeer> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        resolve(new TlsPeer(socket, engine));
      });
    });
  }

  /** Goes on with what has come. */
  step(): void {
    if (this.#isClosed) return;
    this.engine.handshake();
    if (this.engine.state === "done") this.text += this.engine.read().toString("latin1");
    this.flush();
    if (this.engine.state === "failed" || this.engine.end === "failed") this.#over("alert");
    else if (this.engine.end === "close_notify") this.#over("close_notify");
    this.onChange(this);
  }

  #take(chunk: Buffer): void {
    if (this.#isClosed) return;
    this.receivedBytes += chunk.length;
    this.engine.feed(chunk);
    this.step();
  }

  #over(end: PeerEnd): void {
    if (this.end === "open") this.end = end;
    this.onChange(this);
  }

  /** Sends what the engine has for the peer. */
  flush(): void {
    const bytes = this.engine.drain();
    if (bytes.length > 0) this.socket.write(bytes);
  }

  write(plaintext: string | Uint8Array): void {
    this.engine.write(typeof plaintext === "string" ? Buffer.from(plaintext, "latin1") : plaintext);
    this.flush();
  }

  /** close_notify, then FIN. */
  finish(): void {
    this.engine.shutdown();
    this.flush();
    this.socket.end();
  }

  /** Waits for the end of the handshake as this side sees it. */
  async shaken(withinMs: number = WITHIN_MS): Promise<this> {
    const isOver = (): boolean => this.engine.state !== "waiting" || this.end !== "open";
    await eventually(isOver, { withinMs, what: "the end of a handshake" });
    return this;
  }

  /** Waits until the other side has ended the stream, and says how. */
  async ended(withinMs: number = WITHIN_MS): Promise<PeerEnd> {
    const what = `the end of a TLS connection (${this.text.slice(0, 200)})`;
    await eventually(() => this.end !== "open", { withinMs, what });
    return this.end;
  }

  async receives(piece: string, withinMs: number = WITHIN_MS): Promise<string> {
    await eventually(() => this.text.includes(piece) || this.end !== "open", {
      withinMs,
      what: `${JSON.stringify(piece)} (${this.text.slice(0, 200)})`,
    });
    return this.text;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.socket.destroy();
    this.engine.free();
  }
}

/** What a slow peer does between two pieces. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => later(ms, resolve));
}

/** Knocks, asks, and returns all that came until the other side ended or `until` has come. */
export async function askTls(
  port: number,
  party: TlsParty,
  sni: string | null,
  request: string,
  until: string | null = null,
): Promise<{ readonly text: string; readonly end: PeerEnd; readonly reason: number }> {
  const peer = await TlsPeer.connect(port, party, sni);
  try {
    await peer.shaken();
    if (peer.engine.state === "done" && peer.end === "open" && request !== "") peer.write(request);
    if (until === null) await peer.ended();
    else await peer.receives(until);
    return { text: peer.text, end: peer.end, reason: peer.engine.reason };
  } finally {
    peer.close();
  }
}

export type TlsServer = {
  readonly port: number;
  readonly peers: readonly TlsPeer[];
  /** Plaintext of all connections, one after the other. */
  text(): string;
  close(): Promise<void>;
};

/** A server that calls `serve` with each connection upon each change. */
export function startTlsServer(
  party: TlsParty,
  serve: (peer: TlsPeer) => void = () => {},
): Promise<TlsServer> {
  const peers: TlsPeer[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const peer = new TlsPeer(socket, party.engine());
    peer.onChange = serve;
    peers.push(peer);
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      resolve({
        port: (server.address() as AddressInfo).port,
        peers,
        text: () => peers.map(({ text }) => text).join(""),
        close: () =>
          new Promise((done) => {
            for (const peer of peers) peer.close();
            server.close(() => done());
          }),
      });
    });
  });
}
