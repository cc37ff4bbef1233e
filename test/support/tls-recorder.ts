/**
 * A relay between two sidecars that keeps the first bytes of both directions, and the proof that they
 * are TLS 1.3 and nothing else (RFC 8446 §5.1, §4.1.2, §4.2.1), read without the code under test.
 */
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import * as assert from "uvu/assert";

/** What is kept of each direction of a connection; the rest passes unseen. */
const KEPT_BYTES_MAX = 1 << 20;

/** One character per byte. */
export type Recording = { fromClient: string; fromServer: string };

export type Recorder = {
  readonly port: number;
  readonly connections: readonly Recording[];
  /** All that was kept, for a search. */
  everything(): string;
  close(): Promise<void>;
};

export function startRecorder(targetPort: number): Promise<Recorder> {
  const connections: Recording[] = [];
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const target = connect({ port: targetPort, host: "127.0.0.1", allowHalfOpen: true });
    const recording: Recording = { fromClient: "", fromServer: "" };
    connections.push(recording);
    keep(client, (text) => {
      if (recording.fromClient.length < KEPT_BYTES_MAX) recording.fromClient += text;
    });
    keep(target, (text) => {
      if (recording.fromServer.length < KEPT_BYTES_MAX) recording.fromServer += text;
    });
    join(client, target);
    join(target, client);
    for (const socket of [client, target]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("close", () => sockets.delete(socket));
    }
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      resolve({
        port: (server.address() as AddressInfo).port,
        connections,
        everything: () =>
          connections.map(({ fromClient, fromServer }) => fromClient + fromServer).join(""),
        close: () =>
          new Promise((done) => {
            for (const socket of sockets) socket.destroy();
            server.close(() => done());
          }),
      });
    });
  });
}

function keep(socket: Socket, add: (text: string) => void): void {
  socket.on("data", (chunk: Buffer) => add(chunk.toString("latin1")));
}

function join(from: Socket, to: Socket): void {
  from.pipe(to);
  from.on("error", () => to.resetAndDestroy());
}

const RECORD_HEADER_BYTES = 5;
const CHANGE_CIPHER_SPEC = 20;
const ALERT = 21;
const HANDSHAKE = 22;
const APPLICATION_DATA = 23;
/** supported_versions with the one version 1.3, as a server answers, and as a list of one. */
const CHOSEN_1_3 = "\0\x2b\0\x02\x03\x04";
const OFFERED_1_3 = "\0\x2b\0\x03\x02\x03\x04";

/**
 * Throws unless both directions are TLS 1.3 only: one hello in the clear each way, then change_cipher_spec
 * once at the most, then application data, and nothing else to the end.
 */
export function assertTls13({ fromClient, fromServer }: Recording): void {
  const client = typesOf(fromClient);
  const server = typesOf(fromServer);
  assert.match(client, /^22 (20 )?(23 )+$/, "records of the client");
  assert.match(server, /^22 (20 )?(23 )+$/, "records of the server");
  assert.ok(fromClient.includes(OFFERED_1_3), "the client offers TLS 1.3 alone");
  assert.ok(fromServer.slice(0, 200).includes(CHOSEN_1_3), "the server chooses TLS 1.3");
}

/** The types of the records, each with a space behind it; a last one may have been cut by the recorder. */
function typesOf(text: string): string {
  let types = "";
  for (let at = 0; at + RECORD_HEADER_BYTES <= text.length; ) {
    const type = text.charCodeAt(at);
    assert.ok(
      type === CHANGE_CIPHER_SPEC ||
        type === ALERT ||
        type === HANDSHAKE ||
        type === APPLICATION_DATA,
      `a record of type ${type}`,
    );
    types += `${type} `;
    at += RECORD_HEADER_BYTES + text.charCodeAt(at + 3) * 256 + text.charCodeAt(at + 4);
  }
  return types;
}
