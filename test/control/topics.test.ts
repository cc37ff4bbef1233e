/** Who is told of changes, and how often. */
import * as assert from "uvu/assert";
import { COALESCE_MS, REST_MS_EACH, REST_MS_MAX, Topics } from "../../src/control/feed.ts";
import { suite } from "../support/test.ts";

const test = suite("control/topics");

class Rig {
  nowMs = 1_000;
  readonly #planned: { readonly atMs: number; readonly run: () => void }[] = [];
  readonly topics = new Topics(
    (run) => void this.#planned.push({ atMs: this.nowMs + COALESCE_MS, run }),
    () => this.nowMs,
  );

  /** Returns how often one of `count` who wait for a topic is woken. */
  watch(topic: string, count: number): () => number {
    let woken = 0;
    for (let i = 0; i < count; i++) this.topics.subscribe(topic, { wake: () => void woken++ });
    return () => woken / count;
  }

  pass(ms: number): void {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; this.nowMs++) {
      for (const due of this.#planned.splice(0)) {
        if (due.atMs <= this.nowMs) due.run();
        else this.#planned.push(due);
      }
    }
  }

  get isIdle(): boolean {
    return this.#planned.length === 0;
  }
}

test("changes without end are told to many as often as they can bear, and to others at once", () => {
  const rig = new Rig();
  const [many, few] = [rig.watch("storm", 1_000), rig.watch("calm", 10)];
  for (let ms = 0; ms < 1_000; ms++) {
    rig.topics.changed("storm");
    rig.pass(1);
  }
  assert.ok(many() >= 10 && many() <= 1_000 / (1_000 * REST_MS_EACH) + 1, `${many()}`);
  const before = few();
  rig.topics.changed("calm");
  rig.pass(COALESCE_MS + 1);
  assert.is(few(), before + 1);
  const told = many();
  rig.topics.changed("storm");
  rig.pass(100);
  assert.is(many(), told + 1, "the last change is told too");
  assert.is(rig.isIdle, true);
});

test("however many there are, what is new is told within 100 ms", () => {
  const rig = new Rig();
  const all = rig.watch("web", 50_000);
  for (const expected of [1, 2, 3]) {
    rig.topics.changed("web");
    rig.pass(REST_MS_MAX + 2 * COALESCE_MS);
    assert.is(all(), expected);
  }
});

test.run();
