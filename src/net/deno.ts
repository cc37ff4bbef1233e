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

const NAMES: Readonly<Record<CType, string>> = {
  i32: "i32",
  u32: "u32",
  i64: "i64",
  address: "usize",
  size: "usize",
};

/**
 * What C takes and gives in 64 bits, which is a BigInt here. A number is taken too, but only by the slow way: the
 * compiler bets on a BigInt, loses, throws the caller's code away and compiles it anew, for ever. `clock_gettime`
 * takes 34 ns as it is called now and 119 to 241 with a number, and each caller far up the stack pays too.
 */
const WIDE: ReadonlySet<CType> = new Set(["i64", "address", "size"]);

/** Of a C function that is called here. */
const ARGUMENTS_MAX = 8;

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
    for (const [name, signature] of Object.entries(functions)) {
      const call = opened[name];
      if (call !== undefined) opened[name] = takingNumbers(call, signature);
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
  forgetLoading() {},
  collect() {},
  serveHttp({ host, port, fetch }) {
    const options = { hostname: host, port, onListen: () => {} };
    const server = self.serve(options, (request, info) => fetch(request, info.remoteAddr.hostname));
    const handle: HttpServer = { port: server.addr.port, close: () => server.shutdown() };
    return Promise.resolve(handle);
  },
};

/**
 * Where numbers become BigInts: written as two words and read as one, which makes no object as `BigInt()` does
 * (40 bytes for each argument).
 */
const wide = new BigUint64Array(ARGUMENTS_MAX);
const words = new Uint32Array(wide.buffer);

/**
 * The same function for numbers. Made from text, so that each has code of its own: the compiler calls C
 * directly only where it knows which function it is, which it does not in code that all share.
 */
function takingNumbers(call: CFunction, { args, result }: CSignature): CFunction {
  if (![...args, result].some((type) => WIDE.has(type))) return call;
  const names = args.map((_, at) => `a${at}`);
  const passed = args.map((type, at) => (WIDE.has(type) ? `wide[${at}]` : `a${at}`));
  const written = args.map((type, at) =>
    WIDE.has(type)
      ? `words[${2 * at}] = a${at}; words[${2 * at + 1}] = Math.floor(a${at} / 2 ** 32);`
      : "",
  );
  const called = `call(${passed.join(", ")})`;
  const body = `${written.join("")} return ${WIDE.has(result) ? `Number(${called})` : called};`;
  const make = new Function(
    "call",
    "words",
    "wide",
    `return (${names.join(", ")}) => { ${body} };`,
  );
  return make(call, words, wide) as CFunction;
}

function declare({ args, result }: CSignature): { parameters: string[]; result: string } {
  return { parameters: args.map((type) => NAMES[type]), result: NAMES[result] };
}
