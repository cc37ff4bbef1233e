import * as assert from "uvu/assert";
import { Http2Stream } from "../../../src/protocol/http2/stream.ts";
import { Streams } from "../../../src/protocol/http2/streams.ts";
import { seeded } from "../../support/random.ts";
import { suite } from "../../support/test.ts";

const test = suite("protocol/http2/streams");

class AnyStream extends Http2Stream {
  override onData(): void {}
  override onTrailers(): void {}
  override onReset(): void {}
  override onDrained(): void {}
  override onClosed(): void {}
}

function streamOf(id: number): Http2Stream {
  const stream = new AnyStream();
  stream.id = id;
  return stream;
}

/** Whatever numbers rise by: side by side, all at one place in a table of any size, or anyhow. */
const STEPS: readonly ((random: ReturnType<typeof seeded>) => number)[] = [
  () => 2,
  () => 4_096,
  (random) => 2 * random.between(1, 40),
];

test("it holds what a Map would, in the order of the numbers", () => {
  const random = seeded("streams");
  for (const step of STEPS) {
    for (const most of [1, 8, 100, 1_000]) {
      const streams = new Streams();
      const expected = new Map<number, Http2Stream>();
      let next = 1;
      for (let i = 0; i < 4 * most + 200; i++) {
        if (expected.size < most && random.chance(0.6)) {
          const stream = streamOf(next);
          streams.add(stream);
          expected.set(next, stream);
          next += step(random);
        } else if (expected.size > 0) {
          const id = random.chance(0.1) ? next : random.pick([...expected.keys()]);
          streams.delete(id);
          expected.delete(id);
        }
        assert.is(streams.size, expected.size);
        const asked = 1 + 2 * random.below(next / 2 + 5);
        assert.is(streams.get(asked), expected.get(asked));
      }
      assert.equal(
        streams.list().map(({ id }) => id),
        [...expected.keys()],
      );
      for (const [id, stream] of expected) assert.is(streams.get(id), stream);
      for (const id of expected.keys()) streams.delete(id);
      assert.is(streams.size, 0);
      assert.equal(streams.list(), []);
    }
  }
});

test("a list is of when it was asked for", () => {
  const streams = new Streams();
  for (const id of [1, 3, 5]) streams.add(streamOf(id));
  for (const { id } of streams.list()) streams.delete(id);
  assert.is(streams.size, 0);
});

test.run();
