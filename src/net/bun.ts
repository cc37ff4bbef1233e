/** What only Bun has. Its few functions are declared here, so that every checker reads them alike. */
import type { CFunction, CSignature, CType, HttpServer, Runtime } from "./runtime.ts";

type BunFfi = {
  dlopen(
    path: string,
    symbols: Record<string, { args: string[]; returns: string }>,
  ): { symbols: Record<string, CFunction> };
  readonly JSCallback: new (
    work: CFunction,
    signature: { args: string[]; returns: string },
  ) => { readonly ptr: number | bigint | null };
  toArrayBuffer(address: number, offset: number, bytes: number): ArrayBuffer;
};

type BunServer = {
  readonly port: number;
  stop(closeActive: boolean): Promise<void>;
  requestIP(request: Request): { address: string } | null;
};

type BunGlobal = {
  readonly version: string;
  gc(isNow: boolean): void;
  /** Undocumented: code that was compiled and a collector's pages, as soon as no code runs. */
  shrink?(): void;
  serve(options: {
    hostname: string;
    port: number;
    idleTimeout: number;
    fetch: (request: Request, server: BunServer) => Response | Promise<Response>;
  }): BunServer;
};

/** `u64_fast` takes a number and returns one while it fits, which addresses do. */
const NAMES: Readonly<Record<CType, string>> = {
  i32: "i32",
  u32: "u32",
  i64: "i64_fast",
  address: "u64_fast",
  size: "u64_fast",
};

const FFI_MODULE = "bun:ffi";
/** Seconds; the most that Bun allows. */
const IDLE_TIMEOUT_S = 255;

const ffi = (await import(FFI_MODULE)) as BunFfi;
const self = (globalThis as unknown as { Bun: BunGlobal }).Bun;
/** Kept, so that they are not collected while C code may call them. */
const callbacks: object[] = [];

export const bun: Runtime = {
  name: "bun",
  version: self.version,
  openLibrary(path, functions) {
    const symbols: Record<string, { args: string[]; returns: string }> = {};
    for (const [name, signature] of Object.entries(functions)) symbols[name] = declare(signature);
    return ffi.dlopen(path, symbols).symbols;
  },
  callback(signature, work) {
    const callback = new ffi.JSCallback(work, declare(signature));
    callbacks.push(callback);
    return Number(callback.ptr);
  },
  viewMemory(address, bytes) {
    return ffi.toArrayBuffer(address, 0, bytes);
  },
  forgetLoading() {
    self.shrink?.();
  },
  collect() {
    self.gc(true);
  },
  serveHttp({ host, port, fetch }) {
    const server = self.serve({
      hostname: host,
      port,
      idleTimeout: IDLE_TIMEOUT_S,
      fetch: (request, from) => fetch(request, from.requestIP(request)?.address ?? ""),
    });
    const handle: HttpServer = { port: server.port, close: () => server.stop(true) };
    return Promise.resolve(handle);
  },
};

function declare(signature: CSignature): { args: string[]; returns: string } {
  return { args: signature.args.map((type) => NAMES[type]), returns: NAMES[signature.result] };
}
