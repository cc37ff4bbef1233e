/** Free ports outside the range from which the kernel takes a client's, so that none is taken by the
 * load itself between two measurements. */
import net from "node:net";

const PORT_MIN = 20_000;
const PORT_MAX = 29_999; // Linux's ephemeral range begins at 32768
const TRIES_MAX = 200;

let next = PORT_MIN + Math.floor(Math.random() * (PORT_MAX - PORT_MIN));

/** Returns a port of 127.0.0.1 that nobody listens on. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < TRIES_MAX; attempt++) {
    next = next === PORT_MAX ? PORT_MIN : next + 1;
    if (await canListen(next)) {
      return next;
    }
  }
  throw new Error(`no free port among ${TRIES_MAX} from ${PORT_MIN} to ${PORT_MAX}`);
}

/** Tells whether something accepts connections on the port. */
export function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ host: "127.0.0.1", port });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => {
      socket.destroy();
      resolve(false);
    });
  });
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once("error", () => resolve(false));
    server.listen({ host: "127.0.0.1", port }, () => server.close(() => resolve(true)));
  });
}
