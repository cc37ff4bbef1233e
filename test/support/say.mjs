/** `node say.mjs HOST PORT [TEXT]`: connects, sends TEXT, prints the first bytes that come. */
import { connect } from "node:net";

const [host, port, text = ""] = process.argv.slice(2);
const socket = connect(Number(port), host, () => text !== "" && socket.write(text));
socket.setTimeout(5_000, () => process.exit(1));
socket.on("error", () => process.exit(1));
socket.on("data", (data) => {
  process.stdout.write(data);
  socket.destroy();
});
