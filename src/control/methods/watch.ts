/** A stream of the mesh: counted for its caller, and woken by the topic that it hangs on, and by new policy. */
import { Feed } from "../feed.ts";
import type { Caller } from "./caller.ts";
import type { Mesh } from "./mesh.ts";
import type { WatchKind } from "./watches.ts";

export abstract class Watch extends Feed {
  protected readonly mesh: Mesh;
  protected readonly caller: Caller;
  readonly #kind: WatchKind;
  readonly #topic: string | null;

  constructor(mesh: Mesh, caller: Caller, kind: WatchKind, topic: string | null) {
    super(mesh.leaving);
    this.mesh = mesh;
    this.caller = caller;
    this.#kind = kind;
    this.#topic = topic;
  }

  protected begin(): void {
    this.mesh.watches.enter(this.#kind, this.caller);
    if (this.#topic !== null) this.mesh.topics.subscribe(this.#topic, this);
  }

  protected end(): void {
    if (this.#topic !== null) this.mesh.topics.unsubscribe(this.#topic, this);
    this.mesh.watches.leave(this.#kind, this.caller);
  }
}
