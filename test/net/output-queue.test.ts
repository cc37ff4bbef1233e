import * as assert from "uvu/assert";
import { Arena, CHUNK_BYTES, INPUT, INPUT_BYTES } from "../../src/net/arena.ts";
import { Loop } from "../../src/net/loop.ts";
import { OutputQueue, type QueueOwner } from "../../src/net/output-queue.ts";
import { seeded } from "../support/random.ts";
import { suite } from "../support/test.ts";

const test = suite("net/output-queue");
const CHUNKS = 64;

class Owner implements QueueOwner {
  isBroken = false;
  readonly isOpen = true;
  isDeferred = false;
  flush(): void {}
  onDeferred(): void {}
  onEvents(): void {}
  onFault(): void {}
}

type Rig = { readonly arena: Arena; readonly owner: Owner; readonly queue: OutputQueue };

function rig(): Rig {
  const arena = new Arena(CHUNKS);
  const owner = new Owner();
  return { arena, owner, queue: new OutputQueue(arena, new Loop(arena), owner, false) };
}

/** Takes up to `most` bytes out as a socket does, and adds them to `sent`. */
function send({ arena, queue }: Rig, most: number, sent: number[]): void {
  for (let left = most; !queue.isEmpty; ) {
    const count = Math.min(left, queue.firstEnd - queue.first);
    for (let i = 0; i < count; i++) sent.push(arena.bytes[queue.first + i] ?? -1);
    left -= count;
    if (!queue.sent(count)) return;
  }
}

test("what goes out is what came in, however it is cut, and all chunks are given back", () => {
  const random = seeded();
  for (let round = 0; round < 20; round++) {
    const at = rig();
    const { arena, queue } = at;
    const came: number[] = [];
    const sent: number[] = [];
    // In half of the rounds it is never empty for long: what was sent is then moved out of the way.
    const isSlow = round % 2 === 0;
    for (let step = 0; step < 60; step++) {
      const count = random.below(CHUNK_BYTES / 4);
      for (let i = 0; i < count; i++) {
        const byte = (came.length * 31 + round) & 0xff;
        arena.bytes[INPUT + i] = byte;
        came.push(byte);
      }
      queue.append(INPUT, INPUT + count);
      send(at, random.below(isSlow ? CHUNK_BYTES / 4 : CHUNK_BYTES), sent);
      assert.is(queue.queuedBytes, came.length - sent.length);
    }
    send(at, came.length, sent);
    assert.ok(Buffer.from(sent).equals(Buffer.from(came)), `round ${round}`);
    assert.is(queue.queuedBytes, 0);
    assert.is(arena.used, 0);
  }
});

test("a hundred chunks, one behind the other, and never empty", () => {
  const at = rig();
  const { arena, queue } = at;
  const sent: number[] = [];
  arena.bytes.fill(7, INPUT, INPUT + INPUT_BYTES);
  queue.append(INPUT, INPUT + INPUT_BYTES);
  for (let i = 0; i < 100; i++) {
    queue.append(INPUT, INPUT + INPUT_BYTES);
    send(at, INPUT_BYTES, sent);
    assert.is(queue.queuedBytes, INPUT_BYTES);
    assert.is(arena.used, 1);
  }
  assert.is(sent.length, 100 * INPUT_BYTES);
  queue.clear();
  assert.ok(queue.isEmpty);
  assert.is(arena.used, 0);
});

test("out of memory it breaks its owner, and gives back what it had", () => {
  const { arena, owner, queue } = rig();
  for (let i = 0; i <= CHUNKS; i++) queue.append(INPUT, INPUT + INPUT_BYTES);
  assert.ok(owner.isBroken);
  queue.commit(queue.reserve(100) + 100);
  assert.is(queue.queuedBytes, CHUNKS * CHUNK_BYTES);
  queue.clear();
  assert.is(queue.queuedBytes, 0);
  assert.is(arena.used, 0);
});

test.run();
