/**
 * A backend that can be told to fail, run by Node: `node failing-backend.mjs PORT`. Prints the bound port,
 * then one `.` for each request that reaches it, so that they are counted even when it is killed, or `r` if
 * it asks for `/report/MS`, which takes that long. Takes
 * lines on stdin: `status N`, `slow MS`, `idle MS` (closes connections that idle so long), `flap PER_SECOND`
 * (the listener goes with all its connections, and comes back, so often), `well`.
 */
import { writeSync } from "node:fs";
import { createServer } from "node:http";
import { createInterface } from "node:readline";

const SERVICE_MS = 3;
const wanted = Number(process.argv[2]);
const state = { status: 200, slowMs: 0, idleMs: 0 };
const sockets = new Map();
let flapping = null;

const server = createServer((request, response) => {
  const report = /^\/report\/([0-9]+)$/.exec(request.url);
  writeSync(1, report === null ? "." : "r");
  const timer = sockets.get(request.socket);
  if (timer !== undefined) clearTimeout(timer);
  request.resume().on("end", () => {
    const { status } = state;
    const slowMs = report === null ? state.slowMs : Number(report[1]);
    setTimeout(() => {
      response.writeHead(status, { "content-length": 2 });
      response.end("ok", () => watchIdle(request.socket));
    }, SERVICE_MS + slowMs);
  });
});
server.keepAliveTimeout = 0;
server.on("connection", (socket) => {
  sockets.set(socket, undefined);
  socket.on("error", () => {});
  socket.on("close", () => sockets.delete(socket));
});

function watchIdle(socket) {
  if (state.idleMs === 0 || !sockets.has(socket)) return;
  sockets.set(
    socket,
    setTimeout(() => socket.destroy(), state.idleMs),
  );
}

function listen(port) {
  server.listen(port, "127.0.0.1");
}

function flap(perSecond) {
  const { port } = server.address();
  let isUp = true;
  flapping = setInterval(() => {
    if (isUp) {
      server.close();
      for (const socket of sockets.keys()) socket.destroy();
    } else listen(port);
    isUp = !isUp;
  }, 500 / perSecond);
  flapping.back = () => {
    if (!isUp) listen(port);
  };
}

function well() {
  Object.assign(state, { status: 200, slowMs: 0, idleMs: 0 });
  if (flapping === null) return;
  clearInterval(flapping);
  flapping.back();
  flapping = null;
}

createInterface({ input: process.stdin }).on("line", (line) => {
  const [what, value] = line.split(" ");
  if (what === "status") state.status = Number(value);
  else if (what === "slow") state.slowMs = Number(value);
  else if (what === "idle") state.idleMs = Number(value);
  else if (what === "flap") flap(Number(value));
  else well();
});
server.once("listening", () => writeSync(1, `${server.address().port}\n`));
listen(wanted);
