/**
 * Runs tables of requests that must not reach an origin. Each case costs its stream and nothing else:
 * a good request follows on the same connection, the HPACK state of both sides included, and is the
 * next thing that the origin gets.
 */
import * as assert from "uvu/assert";
import { eventually } from "./eventually.ts";
import { encodeFields, type Field, requestFields } from "./http2-fields.ts";
import type { After } from "./http2-link.ts";
import { Http2Peer } from "./http2-peer.ts";
import { assertHealthy, completed, type Rig, SERVICES, type Service, to } from "./http2-rig.ts";
import type { Http2Stream } from "./http2-stream.ts";

export const MALFORMED = /^reset 1$/;
/** Where the request can be read but not served, a status is as good. */
export const REFUSED = /^(?:reset 1|400 ended)$/;

export type Case = {
  readonly what: string;
  readonly fields: readonly Field[];
  readonly body?: string;
  readonly after?: After;
  /** What must come of it; RST_STREAM PROTOCOL_ERROR unless said. */
  readonly outcome?: RegExp;
  /** Written behind the block of `fields`. */
  readonly more?: Buffer;
};

export class Refusals {
  readonly #rig: Rig;
  #answered = 0;

  constructor(rig: Rig) {
    this.#rig = rig;
  }

  /** Sends each case on one connection to each service, with a good request between and behind. */
  async refuses(cases: readonly Case[]): Promise<void> {
    for (const service of SERVICES) {
      const peer = await Http2Peer.connect(this.#rig.port);
      for (const given of cases) {
        const seen = await send(peer, service, given);
        const what = `${given.what} to ${service}: ${seen.outcome}, ${peer.describe()}`;
        assert.match(seen.outcome, given.outcome ?? MALFORMED, what);
        await this.serves(peer, service, requestFields("/good"), what);
        assert.is(this.lastPath(service), "/good", what);
      }
      assert.equal(peer.link.violations, []);
      peer.close();
    }
    await this.check();
  }

  /** The connection carries a good request, and it is answered. */
  async serves(
    peer: Http2Peer,
    service: Service,
    fields: readonly Field[],
    after = "",
  ): Promise<void> {
    const good = await peer.ask(to(service, fields));
    assert.is(good.outcome, "200 ended", `a good request after ${after}; ${peer.describe()}`);
    this.#answered++;
  }

  /** The path of the last request that the origin has got. */
  lastPath(service: Service): string {
    const { web, two } = this.#rig;
    return (service === "web" ? web.requests.at(-1)?.target : two.requests.at(-1)?.path) ?? "";
  }

  /** Throws unless the origins have got as many whole requests as were answered, all of them pure. */
  async check(): Promise<void> {
    await assertHealthy(this.#rig);
    await eventually(() => completed(this.#rig) >= this.#answered);
    assert.is(completed(this.#rig), this.#answered, "requests at the origins, requests answered");
  }
}

function send(peer: Http2Peer, service: Service, given: Case): Promise<Http2Stream> {
  const { fields, body, after, more } = given;
  const id = peer.nextId();
  const block = Buffer.concat([encodeFields(to(service, fields)), more ?? Buffer.alloc(0)]);
  const isBare = body === undefined && after === undefined;
  peer.link.block(id, block, isBare ? "end" : "open");
  if (!isBare) peer.link.body(id, body ?? "", after ?? "end");
  return peer.over(id);
}

/** The request without one of its pseudo-header fields, or with other values for it. */
export function changed(name: string, ...values: readonly string[]): Field[] {
  return requestFields("/").flatMap((field): Field[] =>
    field[0] === name ? values.map((value): Field => [name, value]) : [field],
  );
}

/** A POST that must not arrive, with more fields. */
export function post(...more: readonly Field[]): Field[] {
  return requestFields("/bad", more, "POST");
}
