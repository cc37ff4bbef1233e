/** Which runtime this is, and the few things that only it can do. Nothing else asks. */

/** Kinds of argument and result of a C function, as far as libc and OpenSSL need them. */
export type CType = "i32" | "u32" | "i64" | "address" | "size";

/** A C function: its arguments and its result. */
export type CSignature = { readonly args: readonly CType[]; readonly result: CType };

export type CFunction = (...args: number[]) => number;

export type Runtime = {
  readonly name: "bun" | "deno";
  readonly version: string;
  /** Loads functions of a shared library. Addresses and sizes are plain numbers (below 2^53). */
  openLibrary(
    path: string,
    functions: Readonly<Record<string, CSignature>>,
  ): Record<string, CFunction>;
  /**
   * The address of a C function that calls `work`, on the thread that made it and only while that
   * thread is inside a call of a C function. It lives as long as the process.
   */
  callback(signature: CSignature, work: CFunction): number;
  /** A view of native memory; it must never be freed while the view is in use. */
  viewMemory(address: number, bytes: number): ArrayBuffer;
  /**
   * Gives back, when this thread next has nothing to do, what loading it took: on Bun 3 MB of 9 in a
   * worker. It forgets compiled code with it, so it is for the start.
   */
  forgetLoading(): void;
  /** Collects all garbage of this thread at once, some ms; on Deno it cannot be asked for. */
  collect(): void;
  /** Serves HTTP for the admin API (not the data path). */
  serveHttp(options: HttpServerOptions): Promise<HttpServer>;
};

export type HttpServerOptions = {
  readonly host: string;
  readonly port: number;
  /** `peer` is the client's IP address as text. */
  readonly fetch: (request: Request, peer: string) => Response | Promise<Response>;
};

export type HttpServer = { readonly port: number; close(): Promise<void> };

export const runtime: Runtime =
  "Bun" in globalThis ? (await import("./bun.ts")).bun : (await import("./deno.ts")).deno;
