/** The flags of `run`. */
import { WORKERS_MAX } from "../shared/layout.ts";
import { BALANCE } from "./balance-keys.ts";
import { IDENTITY } from "./identity-keys.ts";
import type { Flag } from "./keys.ts";
import { LOG } from "./log-keys.ts";
import { MESH } from "./mesh-keys.ts";
import {
  application,
  choice,
  count,
  duration,
  forward,
  listener,
  ports,
  serviceName,
  upstream,
} from "./values.ts";

const HOUR_MS = 3_600_000;
/** Below this a slow but honest client would be cut off before it has said what it speaks. */
const DETECT_TIMEOUT_MIN_MS = 10;

export const RUN = {
  name: {
    name: "--name",
    variable: "OUTRIGGER_NAME",
    placeholder: "NAME",
    fallback: null,
    help: "the service this application is",
    parse: serviceName,
  },
  ...IDENTITY,
  ...MESH,
  app: {
    name: "--app",
    variable: "OUTRIGGER_APP",
    placeholder: "[h1:|h2:]HOST:PORT",
    fallback: null,
    help: "where the application listens; inbound traffic without another target goes there",
    parse: application,
  },
  inbound: {
    name: "--inbound",
    variable: "OUTRIGGER_INBOUND",
    placeholder: "IP:PORT",
    fallback: "0.0.0.0:4143",
    help: "the listener for traffic to the application; port 0 picks one; with --token also if taken",
    parse: listener,
  },
  outbound: {
    name: "--outbound",
    variable: "OUTRIGGER_OUTBOUND",
    placeholder: "IP:PORT",
    fallback: "127.0.0.1:4140",
    help: "the listener for traffic from the application; port 0 picks one; with --token also if taken",
    parse: listener,
  },
  admin: {
    name: "--admin",
    variable: "OUTRIGGER_ADMIN",
    placeholder: "IP:PORT",
    fallback: "127.0.0.1:4191",
    help: "the listener of the admin API; port 0 picks one; with --token also if taken",
    parse: listener,
  },
  upstream: {
    name: "--upstream",
    variable: "OUTRIGGER_UPSTREAM",
    placeholder: "NAME=[h1:|h2:|sidecar:[WHO[:PORT]@]]HOST:PORT[,…]",
    fallback: null,
    isRepeatable: true,
    help: "a static service, or IP address; prefix: what an endpoint speaks, WHO: that it must prove it",
    parse: upstream,
  },
  forward: {
    name: "--forward",
    variable: "OUTRIGGER_FORWARD",
    placeholder: "IP:PORT=NAME:PORT",
    fallback: null,
    isRepeatable: true,
    help: "a local port that carries raw TCP to a service",
    parse: forward,
  },
  opaquePorts: {
    name: "--opaque-ports",
    variable: "OUTRIGGER_OPAQUE_PORTS",
    placeholder: "LIST",
    fallback: "25,587,3306,4444,5432,6379,9300,11211",
    help: "ports and ranges whose protocol is never detected; empty for none",
    parse: ports,
  },
  detectTimeout: {
    name: "--detect-timeout",
    variable: "OUTRIGGER_DETECT_TIMEOUT",
    placeholder: "DURATION",
    fallback: "10s",
    help: "first bytes that tell no protocol by then are opaque",
    parse: duration(DETECT_TIMEOUT_MIN_MS, HOUR_MS),
  },
  workers: {
    name: "--workers",
    variable: "OUTRIGGER_WORKERS",
    placeholder: "N",
    fallback: null,
    fallbackText: "the CPUs available, a cgroup's limit included, at most 4",
    help: `threads that carry traffic, 1 to ${WORKERS_MAX}`,
    parse: count(1, WORKERS_MAX),
  },
  ...BALANCE,
  ...LOG,
  accessLog: {
    name: "--access-log",
    variable: "OUTRIGGER_ACCESS_LOG",
    placeholder: null,
    fallback: "off",
    help: "one line for each request to stderr",
    parse: choice("on", "off"),
  },
  shutdownGrace: {
    name: "--shutdown-grace",
    variable: "OUTRIGGER_SHUTDOWN_GRACE",
    placeholder: "DURATION",
    fallback: "120s",
    help: "how long SIGTERM waits for what is in flight",
    parse: duration(0, HOUR_MS),
  },
} as const satisfies Readonly<Record<string, Flag>>;
