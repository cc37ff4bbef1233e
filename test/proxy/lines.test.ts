import * as assert from "uvu/assert";
import type { Outlook } from "../../src/balancer/eligible.ts";
import { TimerWheel } from "../../src/lib/timer-wheel.ts";
import type { Endpoint, Service } from "../../src/mesh/snapshot.ts";
import type { Context } from "../../src/proxy/context.ts";
import { FAILFAST_MS, LINE_SWEEP_MS, LINE_WOKEN_MAX, QUEUE_MAX } from "../../src/proxy/limits.ts";
import { Lines, type LineWaiter } from "../../src/proxy/lines.ts";
import { suite } from "../support/test.ts";

const test = suite("proxy/lines");

const ENDPOINT: Endpoint = {
  row: 0,
  series: 0,
  ip: Uint8Array.of(127, 0, 0, 1),
  port: 80,
  speaks: "any",
  peer: null,
};

function serviceOf(name: string, count = 1, failure: Service["failure"] = null): Service {
  const endpoints = Array.from({ length: count }, () => ENDPOINT);
  return { name, series: 0, endpoints, failure, routes: [] };
}

/** A world with one clock, in which pools look as they are told to. */
class World {
  readonly outlooks = new Map<string, Outlook>();
  readonly counts = new Map<string, number>();
  readonly services = new Map<string, Service>();
  readonly faults: unknown[] = [];
  emptiedMs = -1;
  readonly #clock = { nowMs: 1_000 };
  readonly #timers = new TimerWheel(1_000);
  #looked: Service | null = null;
  readonly lines: Lines;

  constructor() {
    const context = {
      balancer: { outlook: () => this.outlooks.get(this.#looked?.name ?? "") ?? "none" },
      count: (name: string) => this.counts.set(name, (this.counts.get(name) ?? 0) + 1),
      directory: {
        has: ({ name }: Service) => this.services.has(name),
        current: (service: Service) => {
          this.#looked = service;
          return this.services.get(service.name) ?? service;
        },
        emptiedMs: () => this.emptiedMs,
      },
      io: {
        loop: {
          clock: this.#clock,
          timers: this.#timers,
          guard: (handler: { onFault(): void }, work: () => void) => {
            try {
              work();
            } catch (error) {
              this.faults.push(error);
              handler.onFault();
            }
          },
        },
      },
    };
    this.lines = new Lines(context as unknown as Context);
  }

  get nowMs(): number {
    return this.#clock.nowMs;
  }

  pass(ms: number): void {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; ) {
      this.#clock.nowMs += Math.min(16, endMs - this.nowMs);
      this.#timers.advance(this.nowMs);
    }
  }

  join(service: Service, waitMs = FAILFAST_MS, onWoken: () => void = () => {}) {
    this.services.set(service.name, service);
    const told: string[] = [];
    const waiter: LineWaiter = {
      waitUntilMs: this.nowMs + waitMs,
      onAvailable: () => {
        told.push("available");
        onWoken();
      },
      onNone: (code) => void told.push(code),
      onFault: () => void told.push("fault"),
    };
    const refused = this.lines.join(service, waiter, "connect-refused");
    return { told, refused, leave: () => this.lines.leave(service, waiter) };
  }
}

test("those who wait go on in the order in which they came, when somebody is there", () => {
  const world = new World();
  const order: number[] = [];
  const all = [0, 1, 2].map((i) =>
    world.join(serviceOf("web"), FAILFAST_MS, () => void order.push(i)),
  );
  world.pass(1_000);
  assert.ok(all.every(({ told, refused }) => told.length === 0 && refused === null));
  world.outlooks.set("web", "ready");
  world.pass(2 * LINE_SWEEP_MS);
  assert.equal(order, [0, 1, 2]);
  assert.is(world.lines.length, 0);
});

test("while one may be tried, one goes on at a time", () => {
  const world = new World();
  const all = [0, 1, 2].map(() => world.join(serviceOf("web")));
  world.outlooks.set("web", "trial");
  world.lines.sweep();
  assert.equal(
    all.map(({ told }) => told.length),
    [1, 0, 0],
  );
});

test("a line is shut when there was nobody for long, and then nobody waits", () => {
  const world = new World();
  const first = world.join(serviceOf("web"));
  world.pass(FAILFAST_MS / 2);
  const second = world.join(serviceOf("web"));
  world.pass(FAILFAST_MS / 2 + 3 * LINE_SWEEP_MS);
  assert.equal([first.told, second.told], [["failfast"], ["failfast"]]);
  assert.is(world.join(serviceOf("web")).refused, "unavailable");
  assert.is(world.join(serviceOf("other")).refused, null);
  for (let i = 0; i < 20; i++) {
    world.pass(FAILFAST_MS - 2 * LINE_SWEEP_MS);
    assert.is(world.join(serviceOf("web")).refused, "unavailable");
  }
  world.outlooks.set("web", "ready");
  world.pass(3 * LINE_SWEEP_MS);
  world.outlooks.set("web", "none");
  assert.is(world.join(serviceOf("web")).refused, null, "it is open again");
  assert.is(world.counts.get("failfast_entered"), 2);
});

test("a shut line that nobody came to for a while is forgotten", () => {
  const world = new World();
  world.join(serviceOf("web"));
  world.pass(FAILFAST_MS + 3 * LINE_SWEEP_MS);
  assert.is(world.join(serviceOf("web")).refused, "unavailable");
  world.pass(FAILFAST_MS + 3 * LINE_SWEEP_MS);
  const late = world.join(serviceOf("web"));
  assert.is(late.refused, null, "it may have been back for hours");
  world.outlooks.set("web", "ready");
  world.pass(2 * LINE_SWEEP_MS);
  assert.equal(late.told, ["available"]);
});

test("nobody waits beyond its own time", () => {
  const world = new World();
  const early = world.join(serviceOf("web"), 200);
  const late = world.join(serviceOf("web"));
  world.pass(200 + 3 * LINE_SWEEP_MS);
  assert.equal([early.told, late.told], [["failfast"], []]);
});

test("who leaves is not told", () => {
  const world = new World();
  const first = world.join(serviceOf("web"), FAILFAST_MS, () => second.leave());
  const second = world.join(serviceOf("web"));
  world.outlooks.set("web", "ready");
  world.pass(2 * LINE_SWEEP_MS);
  assert.equal([first.told, second.told], [["available"], []]);
  second.leave();
  assert.is(world.lines.length, 0);
});

test("not all go on at once, and no more may wait than there is room for", () => {
  const world = new World();
  const all = Array.from({ length: QUEUE_MAX }, () =>
    world.join(serviceOf("web"), 2 * FAILFAST_MS),
  );
  assert.ok(all.every(({ refused }) => refused === null));
  assert.is(world.lines.length, QUEUE_MAX);
  assert.is(world.join(serviceOf("web")).refused, "queue-full");
  assert.is(world.join(serviceOf("other")).refused, "queue-full");
  world.outlooks.set("web", "ready");
  world.lines.sweep();
  assert.is(all.filter(({ told }) => told.length > 0).length, LINE_WOKEN_MAX);
  world.pass(1_000);
  world.outlooks.set("web", "none");
  const left = world.lines.length;
  world.pass(FAILFAST_MS - 3 * LINE_SWEEP_MS);
  assert.ok(left > 0 && world.lines.length === left, "the time begins anew");
  world.outlooks.set("web", "ready");
  world.pass(2_500);
  assert.is(world.lines.length, 0);
});

test("what is known to fail is not waited for, nor what never had endpoints or has had none for long", () => {
  const world = new World();
  assert.is(world.join(serviceOf("web", 0, "dns-failed")).refused, "dns-failed");
  assert.is(world.join(serviceOf("web", 0)).refused, "connect-refused");
  world.emptiedMs = world.nowMs - FAILFAST_MS;
  assert.is(world.join(serviceOf("web", 0)).refused, "connect-refused");
  world.emptiedMs = world.nowMs - FAILFAST_MS + 500;
  const late = world.join(serviceOf("web", 0));
  assert.is(late.refused, null);
  world.pass(500 + 3 * LINE_SWEEP_MS);
  assert.equal(late.told, ["failfast"], "the time counts from when it lost the last one");
});

test("who found somebody else there, or nobody in a second, is told at once", () => {
  const world = new World();
  const waiter: LineWaiter = {
    waitUntilMs: world.nowMs + FAILFAST_MS,
    onAvailable: () => {},
    onNone: () => {},
    onFault: () => {},
  };
  for (const last of ["tls-failed", "peer-untrusted", "connect-timeout"] as const) {
    assert.is(world.lines.join(serviceOf("web"), waiter, last), last);
  }
  assert.is(world.lines.length, 0);
});

test("of a service that is gone nothing is kept", () => {
  const world = new World();
  world.join(serviceOf("web"));
  world.pass(FAILFAST_MS + 3 * LINE_SWEEP_MS);
  assert.is(world.join(serviceOf("web")).refused, "unavailable");
  world.services.delete("web");
  world.pass(3 * LINE_SWEEP_MS);
  assert.is(world.join(serviceOf("web")).refused, null);
});

test("one that throws is told so, and the others go on", () => {
  const world = new World();
  const bad = world.join(serviceOf("web"), FAILFAST_MS, () => {
    throw new Error("bug");
  });
  const good = world.join(serviceOf("web"));
  world.outlooks.set("web", "ready");
  world.pass(2 * LINE_SWEEP_MS);
  assert.equal([bad.told, good.told], [["available", "fault"], ["available"]]);
  assert.is(world.faults.length, 1);
});

test.run();
