// An application that answers with who called it, as its sidecar says: `l5d-client-id`.
import { createServer } from "node:http";

createServer((request, response) => {
  response.end(`${request.method} ${request.url} from ${request.headers["l5d-client-id"]}\n`);
}).listen(8000, "127.0.0.1");
