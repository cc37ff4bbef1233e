/**
 * Whether strangers are refused, tried before anything is listened on: a handshake for each kind of
 * stranger through the very path that serves (ring, adopted descriptor, TlsClient, our own check),
 * and one with the right certificate, whose request must arrive. Runtimes and libraries have broken
 * this silently; a sidecar that got a wrong answer does not start.
 */

import { Balancer } from "../balancer/balancer.ts";
import { Breaker } from "../balancer/breaker.ts";
import { formatHostPort, formatIp } from "../mesh/address.ts";
import type { Credentials } from "../mesh/credentials.ts";
import type { ThreadStart } from "../mesh/snapshot.ts";
import { COUNTER_NAMES, Counter, type CounterName } from "../metrics/catalog.ts";
import { Arena, OUTPUT } from "../net/arena.ts";
import { Descriptors } from "../net/descriptors.ts";
import { Dial } from "../net/dial.ts";
import { libc } from "../net/libc.ts";
import { accept, type Listening, listen } from "../net/listener.ts";
import { Loop } from "../net/loop.ts";
import { TlsContext } from "../net/tls-context.ts";
import { Context } from "../proxy/context.ts";
import { Directory } from "../proxy/directory.ts";
import { Pools } from "../proxy/pool.ts";
import { terminateTls } from "../proxy/tls-client.ts";
import { Counters } from "../shared/counters.ts";
import { DescriptorTable } from "../shared/descriptor-table.ts";
import { EndpointRows } from "../shared/endpoint-rows.ts";
import { emptyHandOff, HandOffRing } from "../shared/hand-off-ring.ts";
import { DrainPhase } from "../shared/layout.ts";
import { LearnedTargets } from "../shared/learned-targets.ts";
import { allocate, type Memory } from "../shared/memory.ts";
import { WorkerRows } from "../shared/worker-rows.ts";
import { Adopter } from "./adopt.ts";
import {
  EXPIRED_STRANGER,
  FOREIGN_STRANGER,
  OWN_WORLD,
  SELF_SIGNED_STRANGER,
} from "./self-test-world.ts";

/** A handshake takes 2 ms, and a thousand times as long where a hundredth of a CPU is all there is. */
const CASE_TIMEOUT_MS = 10_000;
const ARENA_CHUNKS = 16;
const REQUEST = "GET / HTTP/1.1\r\nHost: self-test\r\n\r\n";

/** All that a handshake can end in. */
const OUTCOMES = COUNTER_NAMES.filter((name) => name.startsWith("tls_server_"));

/** Who knocks, and by which counter it must be refused; null: it must be let in. */
type Case = readonly [who: string, client: Credentials | null, refusal: CounterName | null];

/**
 * Tries all kinds of strangers, in a world of the test's own. Returns null when all went as it must,
 * else what did not. Blocks for some 20 ms. Throws OpenSslMissing.
 */
export function strangersProblem(): string | null {
  return new SelfTest(OWN_WORLD).run([
    ["a client without a certificate", null, "tls_server_no_certificate"],
    ["a self-signed certificate", SELF_SIGNED_STRANGER, "tls_server_untrusted"],
    ["a certificate of another anchor", FOREIGN_STRANGER, "tls_server_untrusted"],
    ["an expired certificate", EXPIRED_STRANGER, "tls_server_expired"],
    ["the right certificate", OWN_WORLD, null],
  ]);
}

/** The same with our own certificate: strangers must not get in with it, and we ourselves must. */
export function ownProblem(own: Credentials): string | null {
  return new SelfTest(own).run([
    ["a client without a certificate", null, "tls_server_no_certificate"],
    ["a self-signed certificate", SELF_SIGNED_STRANGER, "tls_server_untrusted"],
    ["a certificate of another anchor", FOREIGN_STRANGER, "tls_server_untrusted"],
    ["our own certificate", own, null],
  ]);
}

/** One for all self-tests, which come with each renewal: nothing of it is ever given back. */
let ground: { readonly arena: Arena; readonly memory: Memory } | null = null;
function sharedGround(): { readonly arena: Arena; readonly memory: Memory } {
  ground ??= { arena: new Arena(ARENA_CHUNKS), memory: allocate(1) };
  return ground;
}

/** An address of loopback where nobody else knocks, as who retries an old port of 127.0.0.1 may do. */
function lonelyIp(): Uint8Array {
  return Uint8Array.of(
    127,
    ...crypto.getRandomValues(new Uint8Array(3)).map((byte) => 1 + (byte % 254)),
  );
}

/** A worker of its own memory, beside the real ones. */
class SelfTest {
  readonly #ip = lonelyIp();
  readonly #arena = sharedGround().arena;
  readonly #loop = new Loop(this.#arena);
  readonly #memory = sharedGround().memory;
  readonly #counters = new Counters(this.#memory, 0);
  readonly #acceptor: Descriptors;
  readonly #context: Context;
  readonly #ring: HandOffRing;
  readonly #adopter: Adopter;
  readonly #inbound = this.#listen();
  readonly #app = this.#listen();

  constructor(own: Credentials) {
    const table = new DescriptorTable(this.#memory);
    const arena = this.#arena;
    const loop = this.#loop;
    loop.mayBlock = () => false;
    const { workers } = this.#memory.layout;
    this.#acceptor = new Descriptors(arena, table, workers);
    const start = this.#start();
    const directory = new Directory(
      () => {},
      () => {},
      () => {},
    );
    const endpoints = new EndpointRows(this.#memory);
    this.#context = new Context({
      io: { arena, loop, descriptors: new Descriptors(arena, table, 0) },
      worker: 0,
      rows: new WorkerRows(this.#memory),
      counters: this.#counters,
      balancer: new Balancer(endpoints, 0, () => 0),
      breaker: new Breaker(endpoints, () => 0, { ejected: () => {}, returned: () => {} }),
      endpoints,
      directory,
      pools: new Pools(),
      learned: new LearnedTargets(this.#memory),
      isOwn: () => false,
      detectTimeoutMs: start.detectTimeoutMs,
      drainPhase: () => DrainPhase.none,
      policy: start.policy,
      terminateTls,
    });
    this.#context.mesh.use(own);
    this.#ring = new HandOffRing(this.#memory, 0);
    this.#adopter = new Adopter(this.#context, this.#ring, start);
    const services = [this.#appService()];
    const snapshot = { version: 1, clients: [], aliases: [], inbound: null, services };
    directory.replace(snapshot, loop.clock.nowMs);
  }

  run(cases: readonly Case[]): string | null {
    try {
      for (const [who, client, refusal] of cases) {
        const problem = this.#try(client, refusal);
        if (problem !== null) return `${who} ${problem}`;
      }
      return null;
    } finally {
      for (const client of [...this.#context.clients]) client.onFault();
      for (const tunnel of [...this.#context.tunnels]) tunnel.close();
      this.#context.mesh.forget();
      // What was called off in this turn closes with it.
      this.#loop.turn();
      for (const fd of [this.#inbound.fd, this.#app.fd, this.#loop.poller.fd]) libc.close(fd);
    }
  }

  #try(client: Credentials | null, refusal: CounterName | null): string | null {
    const before = this.#counts();
    const dial = this.#knock(client);
    const isOver = (): boolean => this.#counts().some((count, i) => count > (before[i] ?? 0));
    this.#turnUntil(isOver);
    const risen = this.#counts().map((count, i) => count - (before[i] ?? 0));
    const name = OUTCOMES[risen.findIndex((count) => count > 0)];
    const hasArrived = this.#hasArrived(refusal === null && name === "tls_server_handshakes");
    dial.cancel();
    if (refusal === null) return hasArrived ? null : `was not let in (${name ?? "no answer"})`;
    if (hasArrived || name === "tls_server_handshakes") return "was let in";
    return name === refusal ? null : `was refused for another reason (${name ?? "no answer"})`;
  }

  /** A client that shakes hands and says a request at once, and a hand-off as the acceptor makes it. */
  #knock(client: Credentials | null): Dial {
    const context = TlsContext.create(this.#arena, "client", {
      certificates: client?.certificates ?? [],
      key: client?.key ?? new Uint8Array(0),
      roots: null,
      alpn: [],
      clientCertificate: "none",
    });
    const dial = new Dial(
      this.#context.io,
      () => {},
      () => {},
    );
    // What was loaded since the last turn may have taken seconds.
    this.#loop.clock.read();
    dial.start({ ip: this.#ip, port: this.#inbound.port }, CASE_TIMEOUT_MS, {
      context: () => context,
      serverName: this.#context.mesh.serverName ?? "",
      isPeer: () => true,
      greet: () => {
        const bytes = new TextEncoder().encode(REQUEST);
        this.#arena.bytes.set(bytes, OUTPUT);
        dial.write(OUTPUT, OUTPUT + bytes.length);
      },
    });
    let fd = -1;
    this.#turnUntil(() => {
      fd = accept(this.#arena, this.#inbound.fd);
      return fd >= 0;
    });
    this.#handOver(fd);
    this.#turnUntil(() => dial.tls !== null);
    context.free();
    return dial;
  }

  #handOver(fd: number): void {
    if (fd < 0 || !this.#acceptor.claim(fd)) return;
    const ticket = this.#acceptor.hand(fd, 0);
    const { serverName } = this.#context.mesh;
    this.#ring.push({ ...emptyHandOff(), fd, ticket, protocol: "tls", sni: serverName });
    this.#adopter.adopt();
  }

  /** Whether the application was connected to; it is waited for where that must be. */
  #hasArrived(isExpected: boolean): boolean {
    let fd = -1;
    const look = (): boolean => {
      fd = accept(this.#arena, this.#app.fd);
      return fd >= 0;
    };
    if (isExpected) this.#turnUntil(look);
    else for (let turns = 0; turns < 3 && !look(); turns++) this.#loop.turn();
    if (fd >= 0) libc.close(fd);
    return fd >= 0;
  }

  #counts(): number[] {
    return OUTCOMES.map((name) => this.#counters.get(Counter[name]));
  }

  #turnUntil(isOver: () => boolean): void {
    const untilMs = performance.now() + CASE_TIMEOUT_MS;
    while (!isOver() && performance.now() < untilMs) this.#loop.turn();
  }

  #listen(): Listening {
    const opened = listen(this.#arena, { ip: this.#ip, port: 0 }, 8);
    if ("error" in opened) throw new Error(`self-test: ${opened.error}`);
    return opened;
  }

  #start(): ThreadStart {
    return {
      memory: this.#memory.words.buffer,
      listeners: [{ kind: "inbound", ...this.#inbound, service: null }],
      app: { ip: this.#ip, port: this.#app.port, speaks: "any" },
      opaquePorts: [],
      detectTimeoutMs: CASE_TIMEOUT_MS,
      ownPorts: [],
      policy: { requiresIdentity: true, allowFrom: null },
    };
  }

  #appService() {
    const { ip, port } = this.#app;
    const endpoint = { row: 0, series: 0, ip, port, speaks: "any", peer: null } as const;
    return {
      name: formatHostPort(formatIp(ip), port),
      series: 0,
      endpoints: [endpoint],
      failure: null,
      routes: [],
    };
  }
}
