/** A small HTTP backend for tests, run by Node: `node backend.mjs PORT`, prints the bound port. */
import { createServer } from "node:http";

const server = createServer((_request, response) => response.end("ok"));
server.keepAliveTimeout = 60_000;
server.listen(Number(process.argv[2]), "127.0.0.1", () => console.log(server.address().port));
