/** A stream of the mesh: counted for its caller, and woken by the topics that it hangs on. */
import type { CallInfo } from "../../rpc/server-handle.ts";
import { Feed } from "../feed.ts";
import type { Caller } from "./caller.ts";
import { endsOf, type Mesh } from "./mesh.ts";
import type { WatchKind } from "./watches.ts";

export abstract class Watch extends Feed {
  protected readonly mesh: Mesh;
  protected readonly caller: Caller;
  readonly #kind: WatchKind;
  readonly #topics: readonly string[];

  constructor(
    mesh: Mesh,
    caller: Caller,
    call: CallInfo,
    kind: WatchKind,
    topics: readonly string[],
  ) {
    super(endsOf(mesh, call));
    this.mesh = mesh;
    this.caller = caller;
    this.#kind = kind;
    this.#topics = topics;
  }

  protected begin(): void {
    this.mesh.watches.enter(this.#kind, this.caller);
    for (const topic of this.#topics) this.mesh.topics.subscribe(topic, this);
  }

  protected end(): void {
    for (const topic of this.#topics) this.mesh.topics.unsubscribe(topic, this);
    this.mesh.watches.leave(this.#kind, this.caller);
  }
}
