/**
 * What each kind of thing that the model counts costs by itself: calls into the kernel by FFI, copies,
 * Atomics, and small garbage. Bytes to a socket go over loopback and pay for what the kernel does to
 * deliver them, as a request's do.
 */
import { ARGUMENTS, Arena, EVENTS, INPUT, OUTPUT } from "../../src/net/arena.ts";
import {
  AF_INET,
  CLOCK_MONOTONIC,
  EFD_NONBLOCK,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  MSG_PEEK,
  SOCK_STREAM,
} from "../../src/net/constants.ts";
import { libc } from "../../src/net/libc.ts";
import { accept, listen } from "../../src/net/listener.ts";
import { Poller } from "../../src/net/poller.ts";
import { ADDRESS, writeAddress } from "../../src/net/socket-address.ts";
import { measure } from "./measure.ts";

const LOOPBACK = Uint8Array.of(127, 0, 0, 1);
const BATCH = 10_000;
const REQUEST_BYTES = 64;

const arena = new Arena(1);
const { address, bytes } = arena;

function pair(): readonly [client: number, server: number] {
  const listener = listen(arena, { ip: LOOPBACK, port: 0 }, 16);
  if ("error" in listener) throw new Error(listener.error);
  const client = libc.socket(AF_INET, SOCK_STREAM, 0);
  const length = writeAddress(arena, { ip: LOOPBACK, port: listener.port });
  if (libc.connect(client, address + ADDRESS, length) !== 0) throw new Error("connect failed");
  for (;;) {
    const server = accept(arena, listener.fd);
    if (server >= 0) return [client, server];
  }
}

const [client, server] = pair();
const event = libc.eventfd(0, EFD_NONBLOCK);
const poller = new Poller(arena);
poller.add(server, { onEvents: () => {}, onFault: () => {} }, true);
arena.view.setUint32(ARGUMENTS, 1, true);
arena.view.setUint32(ARGUMENTS + 4, 0, true);
const flags = MSG_DONTWAIT | MSG_NOSIGNAL;

measure("gettid: nothing but the way into the kernel", BATCH, () => libc.gettid());
measure("clock_gettime, without the kernel", BATCH, () =>
  libc.clock_gettime(CLOCK_MONOTONIC, address + ARGUMENTS + 64),
);
measure("performance.now", BATCH, () => performance.now());
measure("eventfd: write and read", BATCH, () => {
  libc.write(event, address + ARGUMENTS, 8);
  return libc.read(event, address + ARGUMENTS + 32, 8);
});
measure("epoll_wait that finds nothing", BATCH, () =>
  libc.epoll_wait(poller.fd, address + EVENTS, 16, 0),
);
measure("recv that finds nothing", BATCH, () =>
  libc.recv(server, address + INPUT, REQUEST_BYTES, MSG_DONTWAIT),
);
measure("send 64 bytes over loopback, and recv", BATCH, () => {
  libc.send(client, address + OUTPUT, REQUEST_BYTES, flags);
  return libc.recv(server, address + INPUT, REQUEST_BYTES, MSG_DONTWAIT);
});
measure("the same, with epoll_wait before the recv", BATCH, () => {
  libc.send(client, address + OUTPUT, REQUEST_BYTES, flags);
  libc.epoll_wait(poller.fd, address + EVENTS, 16, 0);
  return libc.recv(server, address + INPUT, REQUEST_BYTES, MSG_DONTWAIT);
});
libc.send(client, address + OUTPUT, REQUEST_BYTES, flags);
measure("recv 64 bytes with MSG_PEEK", BATCH, () =>
  libc.recv(server, address + INPUT, REQUEST_BYTES, MSG_PEEK | MSG_DONTWAIT),
);

for (const count of [64, 1_024, 16_384]) {
  measure(`copyWithin, ${count} bytes`, BATCH, () =>
    bytes.copyWithin(OUTPUT, INPUT, INPUT + count),
  );
}

const words = new Int32Array(new SharedArrayBuffer(4_096));
measure("Atomics.store", BATCH, (i) => Atomics.store(words, i & 1_023, i));
measure("Atomics.compareExchange", BATCH, (i) => Atomics.compareExchange(words, i & 1_023, 0, i));
measure("an object of four fields", BATCH, (i) => ({ a: i, b: i, c: i, d: i }));
measure("a string of 11 bytes from the arena", BATCH, () =>
  String.fromCharCode(...bytes.subarray(INPUT, INPUT + 11)),
);
