/** What the application of the transparent tests wants to reach: HTTP, echoes, one that greets. */
import { createSocket } from "node:dgram";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";

const [http, other] = [8080, 8081].map(() =>
  createHttpServer((request, response) => {
    response.end(`${request.method} ${request.url} ${request.headers.host}`);
  }),
);
const echo = createServer((socket) => {
  socket.on("error", () => {});
  socket.on("data", (data) => socket.write(`echo:${data}`));
});
const greeter = createServer((socket) => {
  socket.on("error", () => {});
  socket.write("I speak first");
});
const datagrams = createSocket("udp6", (data, { port, address }) => {
  datagrams.send(`echo:${data}`, port, address);
});

let missing = 5;
function onListening() {
  missing -= 1;
  if (missing === 0) process.stderr.write("listening\n");
}
http.listen(8080, "::", onListening);
other.listen(8081, "::", onListening);
echo.listen(9090, "::", onListening);
greeter.listen(7070, "::", onListening);
datagrams.bind(9090, "::", onListening);
