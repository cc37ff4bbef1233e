/** What only Deno has. Its few functions are declared here, so that every checker reads them alike. */
import type { CFunction, CType, HttpServer, Runtime } from "./runtime.ts";

type DenoGlobal = {
  readonly version: { readonly deno: string };
  dlopen(
    path: string,
    symbols: Record<string, { parameters: string[]; result: string }>,
  ): { symbols: Record<string, CFunction> };
  readonly UnsafePointer: { create(address: bigint): object | null };
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

const self = (globalThis as unknown as { Deno: DenoGlobal }).Deno;

export const deno: Runtime = {
  name: "deno",
  version: self.version.deno,
  openLibrary(path, functions) {
    const symbols: Record<string, { parameters: string[]; result: string }> = {};
    for (const [name, { args, result }] of Object.entries(functions)) {
      symbols[name] = { parameters: args.map((type) => NAMES[type]), result: NAMES[result] };
    }
    return self.dlopen(path, symbols).symbols;
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
