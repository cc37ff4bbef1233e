// An application for `run -- node application.mjs PORT`: tells on stderr what happens to it, answers
// `/slow` when `/release` is asked for, and on SIGTERM makes a last call through its proxy.
import { createServer, request } from "node:http";

const port = Number(process.argv[2]);
const tell = (text) => process.stderr.write(`app: ${text}\n`);
let release = () => {};
const server = createServer((incoming, response) => {
  if (incoming.url === "/slow") {
    release = () => {
      tell("answered");
      response.end("slow");
    };
    tell("slow");
    return;
  }
  if (incoming.url === "/release") release();
  response.end("ok");
});
server.listen(port, "127.0.0.1", () => call("first"));

function call(what) {
  return new Promise((resolve) => {
    const { hostname, port } = new URL(process.env.HTTP_PROXY);
    const options = { host: hostname, port, path: "http://web/", headers: { host: "web" } };
    const sent = request({ ...options, agent: false }, (response) => {
      tell(`${what} ${response.statusCode}`);
      response.resume().on("end", resolve);
    });
    sent.on("error", (error) => {
      tell(`${what} ${error.message}`);
      resolve();
    });
    sent.end();
  });
}

process.on("SIGTERM", async () => {
  tell("SIGTERM");
  await call("last");
  process.exit(5);
});
