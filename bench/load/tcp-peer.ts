/** Both ends of an opaque TCP stream in one process: the origin, which listens, and the client, which
 * connects through a proxy. Bytes are counted where they arrive.
 *
 * Prints `listening PORT`. Then each line on stdin is a command (a JSON TcpCommand); for each it prints
 * `begin` when the warm-up is over and `end BYTES MILLISECONDS` when the time is. Ends with stdin. */
import net from "node:net";
import process from "node:process";
import { createInterface } from "node:readline";
import { numberAt, parseObject } from "../json.ts";

const WRITE_BYTES = 1_048_576;
const block = Buffer.alloc(WRITE_BYTES, "x");

/**
 * The client's first byte says who is to send; afterwards that side sends for ever. No text begins with
 * it: behind mutual TLS a letter alone might be the beginning of a request, and is waited for 10 s.
 */
const UPLOAD = Buffer.of(1);
const DOWNLOAD = Buffer.of(2);

let receivedBytes = 0;

const origin = net.createServer({ noDelay: true }, (socket) => {
  socket.on("error", () => {}); // the client has what it wanted
  socket.once("data", (chunk) => {
    if (chunk[0] === DOWNLOAD[0]) {
      sendForEver(socket);
    } else {
      count(socket);
    }
  });
});

origin.listen({ host: "127.0.0.1", port: 0 }, () => {
  const address = origin.address();
  console.log(`listening ${typeof address === "object" && address !== null ? address.port : 0}`);
});

const commands = createInterface({ input: process.stdin });
commands.on("line", (line) => {
  const command = parseObject(line) ?? {};
  const sockets: net.Socket[] = [];
  for (let i = 0; i < numberAt(command, "connections"); i++) {
    sockets.push(connect(numberAt(command, "port"), command["direction"] === "upload"));
  }
  setTimeout(measure, numberAt(command, "warmUpMs"), sockets, numberAt(command, "measuredMs"));
});
commands.on("close", () => process.exit(0));

function measure(sockets: readonly net.Socket[], measuredMs: number): void {
  console.log("begin");
  const begunBytes = receivedBytes;
  const begunMs = performance.now();
  setTimeout(() => {
    const elapsedMs = performance.now() - begunMs;
    const bytes = receivedBytes - begunBytes;
    for (const socket of sockets) {
      socket.destroy();
    }
    console.log(`end ${bytes} ${elapsedMs}`);
  }, measuredMs);
}

function connect(port: number, isUpload: boolean): net.Socket {
  const socket = net.connect({ host: "127.0.0.1", port, noDelay: true });
  socket.on("error", () => {}); // too few bytes will have arrived
  socket.write(isUpload ? UPLOAD : DOWNLOAD);
  if (isUpload) {
    sendForEver(socket);
  } else {
    count(socket);
  }
  return socket;
}

function sendForEver(socket: net.Socket): void {
  const send = (): void => {
    while (!socket.destroyed && socket.write(block)) {
      // until the buffers are full; then the drain event
    }
  };
  socket.on("drain", send);
  send();
}

function count(socket: net.Socket): void {
  socket.on("data", (chunk) => {
    receivedBytes += chunk.length;
  });
}
