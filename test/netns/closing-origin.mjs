// An application that closes its connections while a request may be on its way. It tells on stderr what
// it did: `asked PATH` when a request was read, `closed` when a connection was.
import { createSocket } from "node:dgram";
import { createServer } from "node:net";

const [client, port] = process.argv.slice(2);
const datagrams = createSocket("udp4");

/** Fills the wire to the client, so that what follows arrives late. */
function fillWire(then) {
  const junk = Buffer.alloc(1_400);
  let left = 12;
  const next = () => (left-- > 0 ? datagrams.send(junk, 9, client, next) : then());
  next();
}

const server = createServer({ allowHalfOpen: true }, (socket) => {
  const tell = () => process.stderr.write("closed\n");
  socket.on("error", () => {});
  socket.on("end", () => socket.destroy());
  socket.on("data", (data) => {
    const path = data.toString("latin1").split(" ")[1];
    process.stderr.write(`asked ${path}\n`);
    if (path === "/vanish") return socket.destroy();
    if (path === "/never") return;
    socket.write("HTTP/1.1 200 OK\r\nKeep-Alive: timeout=60\r\nContent-Length: 2\r\n\r\nok", () => {
      if (path === "/close") fillWire(() => socket.destroy().once("close", tell));
      if (path === "/half-close") fillWire(() => socket.end(tell));
    });
  });
});
server.listen(Number(port), () => process.stderr.write("listening\n"));
