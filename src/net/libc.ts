/**
 * The C library's socket functions, called from each thread by FFI. The same calls serve both
 * runtimes, so there is one data path and not one per runtime; bench/README.md has what that is
 * worth. Functions that fail return -1 and leave a reason in `errno()`. On Deno errno was once seen
 * to be another call's, so nothing that matters hangs on it alone: readiness and hang-ups come from
 * epoll, errno only names the reason.
 */
import { type CFunction, type CSignature, type CType, runtime } from "./runtime.ts";

const f = (result: CType, ...args: CType[]): CSignature => ({ args, result });

const FUNCTIONS = {
  socket: f("i32", "i32", "i32", "i32"),
  bind: f("i32", "i32", "address", "i32"),
  listen: f("i32", "i32", "i32"),
  accept4: f("i32", "i32", "address", "address", "i32"),
  connect: f("i32", "i32", "address", "i32"),
  recv: f("i32", "i32", "address", "size", "i32"),
  send: f("i32", "i32", "address", "size", "i32"),
  sendto: f("i32", "i32", "address", "size", "i32", "address", "i32"),
  sendmsg: f("i32", "i32", "address", "i32"),
  shutdown: f("i32", "i32", "i32"),
  close: f("i32", "i32"),
  setsockopt: f("i32", "i32", "i32", "i32", "address", "i32"),
  getsockopt: f("i32", "i32", "i32", "i32", "address", "address"),
  getsockname: f("i32", "i32", "address", "address"),
  getpeername: f("i32", "i32", "address", "address"),
  epoll_create1: f("i32", "i32"),
  epoll_ctl: f("i32", "i32", "i32", "i32", "address"),
  epoll_wait: f("i32", "i32", "address", "i32", "i32"),
  eventfd: f("i32", "u32", "i32"),
  open: f("i32", "address", "i32", "i32"),
  readlink: f("i64", "address", "address", "size"),
  opendir: f("address", "address"),
  readdir: f("address", "address"),
  closedir: f("i32", "address"),
  read: f("i32", "i32", "address", "size"),
  write: f("i32", "i32", "address", "size"),
  mmap: f("address", "address", "size", "i32", "i32", "i32", "i64"),
  memcpy: f("address", "address", "address", "size"),
  madvise: f("i32", "address", "size", "i32"),
  clock_gettime: f("i32", "i32", "address"),
  getrlimit: f("i32", "i32", "address"),
  setrlimit: f("i32", "i32", "address"),
  gettid: f("i32"),
  prctl: f("i32", "i32", "i32", "i32", "i32", "i32"),
  usleep: f("i32", "u32"),
  tgkill: f("i32", "i32", "i32", "i32"),
  __errno_location: f("address"),
} as const satisfies Record<string, CSignature>;

export type Libc = Readonly<Record<Exclude<keyof typeof FUNCTIONS, "__errno_location">, CFunction>>;

/** glibc's name, then musl's. */
const LIBRARY_NAMES = ["libc.so.6", "libc.so", `ld-musl-${muslArch()}.so.1`];

const symbols = open();
const errnoView = new Int32Array(runtime.viewMemory(Number(symbols["__errno_location"]?.()), 4));

export const libc = symbols as unknown as Libc;

/** The reason of this thread's last failed call. */
export function errno(): number {
  return errnoView[0] ?? 0;
}

function open(): Record<string, CFunction> {
  let failure: unknown = null;
  for (const name of LIBRARY_NAMES) {
    try {
      return runtime.openLibrary(name, FUNCTIONS);
    } catch (error) {
      failure ??= error;
    }
  }
  throw new Error(`cannot load the C library: ${String(failure)}`);
}

function muslArch(): string {
  return process.arch === "arm64" ? "aarch64" : "x86_64";
}
