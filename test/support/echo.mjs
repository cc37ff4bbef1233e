/** A TCP echo for tests, run by Node in a process of its own; prints the bound port. */
import { createServer } from "node:net";

const server = createServer({ allowHalfOpen: false, noDelay: true }, (socket) => {
  socket.on("error", () => {});
  socket.pipe(socket);
});
server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () =>
  console.log(server.address().port),
);
