/** Linux's numbers, the same on x86-64 and arm64 unless said otherwise. */

export const AF_UNIX = 1;
export const O_RDONLY_CLOEXEC = 0o2000000;

export const AF_INET = 2;
export const AF_INET6 = 10;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;

export const SOL_SOCKET = 1;
export const SO_REUSEADDR = 2;
export const SO_ERROR = 4;
export const SO_KEEPALIVE = 9;
export const SO_LINGER = 13;
export const SO_RCVLOWAT = 18;
export const SOL_TCP = 6;
export const TCP_NODELAY = 1;
export const TCP_KEEPIDLE = 4;
export const TCP_KEEPINTVL = 5;
export const TCP_KEEPCNT = 6;
export const TCP_INFO = 11;
export const TCP_USER_TIMEOUT = 18;
export const SOL_IP = 0;
export const SOL_IPV6 = 41;
/** linux/netfilter_ipv4.h and netfilter_ipv6/ip6_tables.h; the same number at both levels. */
export const SO_ORIGINAL_DST = 80;
export const IPV6_V6ONLY = 26;

export const MSG_PEEK = 0x02;
export const MSG_DONTWAIT = 0x40;
export const MSG_NOSIGNAL = 0x4000;
export const MSG_MORE = 0x8000;
export const SHUT_WR = 1;

export const EPOLLIN = 0x001;
export const EPOLLPRI = 0x002;
export const EPOLLOUT = 0x004;
export const EPOLLERR = 0x008;
export const EPOLLHUP = 0x010;
export const EPOLLRDHUP = 0x2000;
/** A write may go on, or fails. */
export const EPOLL_WRITES = EPOLLOUT | EPOLLERR | EPOLLHUP;
/** The peer has ended, or the connection failed. */
export const EPOLL_ENDS = EPOLLERR | EPOLLHUP | EPOLLRDHUP;
export const EPOLLET = 0x80000000;
export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;
export const EPOLL_CLOEXEC = 0o2000000;

export const EFD_NONBLOCK = 0o4000;
export const EFD_CLOEXEC = 0o2000000;

export const PROT_READ_WRITE = 3;
export const MAP_PRIVATE_ANONYMOUS_NORESERVE = 0x02 | 0x20 | 0x4000;
export const MADV_DONTNEED = 4;

export const CLOCK_MONOTONIC = 1;
export const RLIMIT_NOFILE = 7;

export const Errno = {
  ENOENT: 2,
  EINTR: 4,
  EPIPE: 32,
  EAGAIN: 11,
  EMFILE: 24,
  ENFILE: 23,
  ENOMEM: 12,
  EACCES: 13,
  EADDRINUSE: 98,
  EADDRNOTAVAIL: 99,
  EAFNOSUPPORT: 97,
  ENETUNREACH: 101,
  ECONNRESET: 104,
  ENOTCONN: 107,
  ENOBUFS: 105,
  ETIMEDOUT: 110,
  ECONNREFUSED: 111,
  EHOSTUNREACH: 113,
  EINPROGRESS: 115,
} as const;

/** What a connection does not recover from. */
export const FATAL_ERRNOS: ReadonlySet<number> = new Set([
  Errno.EPIPE,
  Errno.ENOTCONN,
  Errno.ECONNRESET,
  Errno.ECONNREFUSED,
  Errno.ETIMEDOUT,
  Errno.EHOSTUNREACH,
  Errno.ENETUNREACH,
]);

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(Errno).map(([name, number]) => [number, name]),
);

/** `ECONNREFUSED` for 111; `errno 5` where there is no name here. */
export function errnoName(number: number): string {
  return NAMES.get(number) ?? `errno ${number}`;
}
