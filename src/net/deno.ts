/** What only Deno has. Its few functions are declared here, so that every checker reads them alike. */
import type { CFunction, CSignature, CType, HttpServer, Runtime } from "./runtime.ts";

type DenoGlobal = {
  readonly version: { readonly deno: string };
  dlopen(
    path: string,
    symbols: Record<string, { parameters: string[]; result: string }>,
  ): { symbols: Record<string, CFunction> };
  readonly UnsafePointer: {
    create(address: bigint): object | null;
    value(pointer: object): number | bigint;
  };
  readonly UnsafeCallback: new (
    signature: { parameters: string[]; result: string },
    work: CFunction,
  ) => { readonly pointer: object };
  readonly UnsafePointerView: { getArrayBuffer(pointer: object, bytes: number): ArrayBuffer };
  serve(
    options: { hostname: string; port: number; onListen: (address: { port: number }) => void },
    handler: (
      request: Request,
      info: { remoteAddr: { hostname: string } },
    ) => Response | Promise<Response>,
  ): { shutdown(): Promise<void>; readonly addr: { port: number } };
};

/** `usize` takes a number below 2^53 on the fast path; a buffer type would need a view per call. */
const NAMES: Readonly<Record<CType, string>> = {
  i32: "i32",
  u32: "u32",
  i64: "i64",
  address: "usize",
  size: "usize",
};

/** Results that come as BigInt; no function of the hot path has one. */
const WIDE: ReadonlySet<CType> = new Set(["i64", "address", "size"]);

const self = (globalThis as unknown as { Deno: DenoGlobal }).Deno;
/** Kept, so that they are not collected while C code may call them. */
const callbacks: object[] = [];

export const deno: Runtime = {
  name: "deno",
  version: self.version.deno,
  openLibrary(path, functions) {
    const symbols: Record<string, { parameters: string[]; result: string }> = {};
    for (const [name, signature] of Object.entries(functions)) symbols[name] = declare(signature);
    const opened = self.dlopen(path, symbols).symbols;
    for (const [name, { result }] of Object.entries(functions)) {
      const call = opened[name];
      if (call !== undefined && WIDE.has(result)) opened[name] = (...args) => Number(call(...args));
    }
    return opened;
  },
  callback(signature, work) {
    const callback = new self.UnsafeCallback(declare(signature), work);
    callbacks.push(callback);
    return Number(self.UnsafePointer.value(callback.pointer));
  },
  viewMemory(address, bytes) {
    const pointer = self.UnsafePointer.create(BigInt(address));
    if (pointer === null) throw new Error("viewMemory: null address");
    return self.UnsafePointerView.getArrayBuffer(pointer, bytes);
  },
  serveHttp({ host, port, fetch }) {
    const options = { hostname: host, port, onListen: () => {} };
    const server = self.serve(options, (request, info) => fetch(request, info.remoteAddr.hostname));
    const handle: HttpServer = { port: server.addr.port, close: () => server.shutdown() };
    return Promise.resolve(handle);
  },
};

function declare({ args, result }: CSignature): { parameters: string[]; result: string } {
  return { parameters: args.map((type) => NAMES[type]), result: NAMES[result] };
}
