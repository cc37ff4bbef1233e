/**
 * A reader that goes by `readable` alone, as the product's do, whose records come in pieces and who asks
 * for less than there is: what is not read when an edge tells of it is never read.
 */
import * as assert from "uvu/assert";
import { INPUT, INPUT_BYTES, OUTPUT } from "../../src/net/arena.ts";
import { BROKEN, END, WAIT } from "../../src/net/connection.ts";
import { openssl } from "../../src/net/openssl.ts";
import { RecordCount } from "../../src/net/record-count.ts";
import type { CFunction } from "../../src/net/runtime.ts";
import { TlsContext, type TlsOptions } from "../../src/net/tls-context.ts";
import { identityOf, makeAuthority } from "../support/certificates.ts";
import { seeded } from "../support/random.ts";
import { suite } from "../support/test.ts";
import { End, makeIo, pairOf, turnUntil } from "../support/tls-pair.ts";

const test = suite("net/tls-cut");
const io = makeIo();
const anchor = await makeAuthority();
const { dns, uri } = identityOf("web");
const issued = await anchor.issue({ dns: [dns], uris: [uri] });
const options: TlsOptions = {
  ...{ certificates: issued.certificates, key: issued.key, roots: [anchor.root], alpn: [] },
  clientCertificate: "required",
};
const MESSAGES = 300;
const TOTAL_MAX = 8_388_608;

/** Reads only while it is readable, and then as much as `roomOf` says. */
class Reader extends End {
  roomOf: () => number = () => INPUT_BYTES;
  readonly bytes = new Uint8Array(TOTAL_MAX);
  override pump(): void {
    while (this.readable && this.how === "open") {
      const count = this.read(INPUT, this.roomOf());
      if (count === WAIT) continue;
      if (count === END) this.how = "end";
      else if (count === BROKEN) this.how = "broken";
      else {
        this.bytes.set(this.io.arena.bytes.subarray(INPUT, INPUT + count), this.receivedBytes);
        this.receivedBytes += count;
      }
    }
  }
}

/** Passes on what comes, in pieces. */
class Cutter extends End {
  to: End | null = null;
  sizeOf: () => number = () => INPUT_BYTES;
  #waiting: Uint8Array[] = [];

  override pump(): void {
    super.pump();
    this.#waiting.push(...this.received);
    this.received = [];
  }

  /** One piece. */
  pass(): void {
    const bytes = Buffer.concat(this.#waiting);
    const size = Math.min(bytes.length, this.sizeOf());
    this.#waiting = size < bytes.length ? [bytes.subarray(size)] : [];
    if (size > 0) this.to?.say(bytes.subarray(0, size));
  }
}

/** A client and a server with two cutters between them. */
function cutPair() {
  const [left, right] = [pairOf(io), pairOf(io)];
  const ends = [new Cutter(io, -1), new Cutter(io, -1)] as const;
  ends[0].takeOver(left.server);
  ends[1].takeOver(right.client);
  ends[0].to = ends[1];
  ends[1].to = ends[0];
  const server = new Reader(io, -1);
  server.takeOver(right.server);
  const serverContext = TlsContext.create(io.arena, "server", options);
  const clientContext = TlsContext.create(io.arena, "client", options);
  server.begin(serverContext, null);
  left.client.begin(clientContext, dns);
  serverContext.free();
  clientContext.free();
  const pass = (): void => {
    for (const end of ends) end.pass();
  };
  turnUntil(io, () => {
    pass();
    return left.client.state === "done" && server.state === "done";
  });
  return { client: left.client, server, cutters: ends, pass };
}

for (const [name, recordMax, pieceMax, roomMax] of [
  ["as they are", 16_384, INPUT_BYTES, INPUT_BYTES],
  ["into small pieces", 2_000, 700, INPUT_BYTES],
  ["for little room", 2_000, INPUT_BYTES, 600],
  ["into pieces, for little room", 3_000, 3_000, 3_000],
  ["where several come at once", 40, INPUT_BYTES, 100],
] as const) {
  test(`records are read to the last byte, cut ${name}`, () => {
    const random = seeded(name);
    const { client, server, cutters, pass } = cutPair();
    for (const cutter of cutters) cutter.sizeOf = () => 1 + random.below(pieceMax);
    server.roomOf = () => 1 + random.below(roomMax);
    const sent = new Uint8Array(TOTAL_MAX);
    let total = 0;
    for (let message = 0; message < MESSAGES; ) {
      // Each is a record of its own; one after the other, or several in one piece.
      for (let burst = random.below(4); burst >= 0 && message < MESSAGES; burst--, message++) {
        const bytes = random.bytes(1 + random.below(recordMax));
        sent.set(bytes, total);
        total += bytes.length;
        io.arena.bytes.set(bytes, OUTPUT);
        client.write(OUTPUT, OUTPUT + bytes.length);
      }
      turnUntil(io, () => {
        pass();
        return server.receivedBytes === total;
      });
    }
    assert.equal(server.bytes.subarray(0, total), sent.subarray(0, total));
    client.end();
    turnUntil(io, () => {
      pass();
      return server.how === "end";
    });
    for (const end of [client, server, ...cutters]) end.close();
  });
}

test("when all is read the socket is not asked once more", () => {
  const { client, server, cutters, pass } = cutPair();
  const ssl = openssl() as Record<"SSL_read", CFunction>;
  const read = ssl.SSL_read;
  let reads = 0;
  ssl.SSL_read = (...words) => {
    reads++;
    return read(...words);
  };
  for (let message = 1; message <= 20; message++) {
    client.say("a message");
    turnUntil(io, () => {
      pass();
      return server.receivedBytes === message * 9;
    });
  }
  ssl.SSL_read = read;
  // The end of the handshake has shown that nothing is held.
  assert.is(reads, 20);
  assert.not.ok(server.readable);
  for (const end of [client, server, ...cutters]) end.close();
});

test("what is held is known from the numbers of bytes, or not at all", () => {
  const records = new RecordCount();
  records.begin();
  // A handshake came before; nobody has seen yet that nothing is left of it.
  assert.not.ok(records.took(122, 100, 1_000));
  assert.ok(records.isToBeLearned);
  records.learnEmpty();
  records.begin();
  assert.ok(records.took(122, 100, 1_000));
  // Two records at once, and then a part of a third.
  records.begin();
  assert.not.ok(records.took(244, 100, 1_000));
  assert.ok(records.took(0, 100, 900));
  records.begin();
  assert.not.ok(records.took(172, 100, 1_000));
  assert.ok(records.isToBeLearned);
  records.begin();
  // The rest of it: the socket may have more than what came.
  assert.not.ok(records.took(72, 100, 1_000));
  records.begin();
  assert.ok(records.took(122, 100, 1_000));
  // A padded record looks as if something were left, and no record can make it look less.
  records.begin();
  assert.not.ok(records.took(130, 100, 1_000));
  records.learnEmpty();
  // A record that is read in three parts, and 44 bytes of the next one, which make up for the two
  // heads too many that were counted; then the rest of it, and 44 bytes of one more.
  records.begin();
  assert.not.ok(records.took(366, 100, 100));
  records.begin();
  assert.not.ok(records.took(0, 100, 100));
  records.begin();
  assert.not.ok(records.took(0, 100, 100));
  records.begin();
  assert.not.ok(records.took(200, 178, 1_000));
  records.learnEmpty();
  // So much that one read may not have been all.
  records.begin();
  assert.not.ok(records.took(16_406, 16_384, 65_536));
});

test.run();
