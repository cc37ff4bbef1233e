/** What the application of the transparent test wants to reach: HTTP, an echo, one that greets. */
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";

createHttpServer((request, response) => {
  response.end(`${request.method} ${request.url} ${request.headers.host}`);
}).listen(8080, "::");
createServer((socket) => {
  socket.on("error", () => {});
  socket.on("data", (data) => socket.write(`echo:${data}`));
}).listen(9090, "::");
createServer((socket) => {
  socket.on("error", () => {});
  socket.write("I speak first");
}).listen(7070, "::");
