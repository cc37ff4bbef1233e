/** Two ends of one loopback connection on one loop, each a bare Connection that can speak TLS. */
import { Arena, INPUT, INPUT_BYTES, OUTPUT } from "../../src/net/arena.ts";
import { BROKEN, Connection, END, type Io, WAIT } from "../../src/net/connection.ts";
import { Descriptors } from "../../src/net/descriptors.ts";
import { Dial } from "../../src/net/dial.ts";
import { accept, listen } from "../../src/net/listener.ts";
import { Loop } from "../../src/net/loop.ts";
import type { TlsContext } from "../../src/net/tls-context.ts";
import type { Handshake } from "../../src/net/tls-session.ts";
import { DescriptorTable } from "../../src/shared/descriptor-table.ts";
import { allocate } from "../../src/shared/memory.ts";

const LOOPBACK = Uint8Array.of(127, 0, 0, 1);
const TURNS_MAX = 20_000;

export function makeIo(): Io {
  const arena = new Arena(64);
  const descriptors = new Descriptors(arena, new DescriptorTable(allocate(1)), 0);
  return { arena, loop: new Loop(arena), descriptors };
}

export class End extends Connection {
  state: Handshake | "plain" = "plain";
  received: Uint8Array[] = [];
  receivedBytes = 0;
  how: "open" | "end" | "broken" = "open";
  /** Stops taking bytes, so that the other end's queue fills. */
  isReading = true;
  /** Keep only their count. */
  isCounting = false;

  begin(context: TlsContext, serverName: string | null): void {
    this.startTls(context, serverName);
    this.state = "waiting";
    this.step();
  }

  step(): void {
    if (this.state === "waiting") this.state = this.handshake();
    if (this.state === "done" || this.state === "plain") this.pump();
  }

  pump(): void {
    while (this.isOpen && this.isReading && this.how === "open") {
      const count = this.read(INPUT, INPUT_BYTES);
      if (count === WAIT) return;
      if (count === END) this.how = "end";
      else if (count === BROKEN) this.how = "broken";
      else {
        this.receivedBytes += count;
        if (!this.isCounting) this.received.push(this.io.arena.bytes.slice(INPUT, INPUT + count));
      }
    }
  }

  say(text: string | Uint8Array): void {
    const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
    for (let at = 0; at < bytes.length; at += INPUT_BYTES) {
      const part = bytes.subarray(at, at + INPUT_BYTES);
      this.io.arena.bytes.set(part, OUTPUT);
      this.write(OUTPUT, OUTPUT + part.length);
    }
  }

  get text(): string {
    return Buffer.concat(this.received).toString();
  }

  protected override onReady(): void {
    this.step();
  }
  override onDeferred(): void {
    this.step();
  }
  override onFault(): void {
    this.isBroken = true;
  }
}

/** A connected pair, plain as yet. */
export function pairOf(io: Io): { client: End; server: End } {
  const opened = listen(io.arena, { ip: LOOPBACK, port: 0 }, 4);
  if ("error" in opened) throw new Error(opened.error);
  let dialled: Dial | null = null;
  const dial = new Dial(
    io,
    (it) => {
      dialled = it;
    },
    (why) => {
      throw new Error(why);
    },
  );
  dial.start({ ip: LOOPBACK, port: opened.port }, 1_000);
  let fd = -1;
  turnUntil(io, () => {
    if (fd < 0) fd = accept(io.arena, opened.fd);
    return fd >= 0 && dialled !== null;
  });
  if (!io.descriptors.claim(fd)) throw new Error("not ours");
  const server = new End(io, fd);
  server.register();
  const client = new End(io, -1);
  client.takeOver(dialled ?? dial);
  io.descriptors.claim(opened.fd);
  io.descriptors.close(opened.fd);
  return { client, server };
}

/** Runs the loop until `isDone`. Throws when that takes too many turns. */
export function turnUntil(io: Io, isDone: () => boolean): void {
  io.loop.mayBlock = () => false;
  for (let turns = 0; turns < TURNS_MAX; turns++) {
    if (isDone()) return;
    io.loop.turn();
  }
  throw new Error("it did not come to that");
}

/** Runs both handshakes to their ends. The server's result tells; a client learns of refusals late. */
export function shakeHands(io: Io, client: End, server: End): void {
  turnUntil(io, () => client.state !== "waiting" && server.state !== "waiting");
}
