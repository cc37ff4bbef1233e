/** The admin API. Its routes are a table; whoever may not use one is turned away before it runs. */
import { type Context, Hono } from "hono";
import { type Logger, type LogLevel, parseLogLevel } from "../lib/log.ts";
import { METRICS_CONTENT_TYPE } from "../metrics/text.ts";
import type { EndpointsView } from "./endpoints-view.ts";
import { hasLocalHost, isLocalPeer, isSameOrigin } from "./guard.ts";
import {
  type BoundPort,
  type Note,
  type Readiness,
  readinessText,
  verboseReadinessText,
} from "./health.ts";
import type { IdentityView } from "./identity-view.ts";
import { pageHtml, pagePolicy } from "./page.ts";
import { readSmallBody } from "./read-body.ts";
import { shared } from "./share.ts";
import type { StatsView } from "./stats-view.ts";
import { answerTap } from "./tap-route.ts";
import type { Taps } from "./taps.ts";

export type AdminDeps = {
  readonly isReady: () => Readiness;
  /** Lines of `/ready?verbose` that are no reasons. */
  readonly notes: () => readonly Note[];
  /** Prometheus' text, see metrics/exposition.ts. */
  readonly metrics: () => string | Promise<string>;
  /** See endpoints-view.ts. */
  readonly endpoints: () => EndpointsView;
  /** See stats-view.ts. */
  readonly stats: () => StatsView;
  /** See taps.ts. */
  readonly taps: Pick<Taps, "open">;
  /** What the program was told to do, as JSON; nothing secret. */
  readonly config: () => unknown;
  /** See identity-view.ts. */
  readonly identity: () => IdentityView;
  readonly logLevel: () => LogLevel;
  readonly setLogLevel: (level: LogLevel) => void;
  /** Begins to drain. Called once, however many ask, and not waited for. */
  readonly shutdown: () => void;
  readonly boundPorts: () => readonly BoundPort[];
  /** Stages a fault in a worker; returns whether both exist. Only given in tests. */
  readonly fault?: (worker: number, kind: string) => boolean;
  readonly log: Pick<Logger, "error" | "info">;
};

export type AdminApp = {
  /** `peer` is the client's IP address. Never rejects. Takes the place of `HttpServerOptions.fetch`. */
  readonly fetch: (request: Request, peer: string) => Promise<Response>;
};

type Env = { Bindings: { readonly peer: string } };
type Handler = (context: Context<Env>) => Response | Promise<Response>;
type Method = "GET" | "PUT" | "POST";
type Route = {
  /** The first is its name, the others are what people are used to. */
  readonly paths: readonly string[];
  /** For this host only. What is no GET must be. */
  readonly isLocal: boolean;
  readonly methods: Readonly<Partial<Record<Method, Handler>>>;
};

/** The longest level has five characters. */
const LEVEL_BYTES_MAX = 64;
const FORBIDDEN = "Requests are only permitted from localhost.\n";

export function adminApp(deps: AdminDeps): AdminApp {
  const app = new Hono<Env>({ getPath: pathOf });
  app.use(async (context, next) => {
    await next();
    if (context.req.raw.method === "HEAD") {
      // Else the runtime would say 0, as the body is taken away after this.
      const { byteLength } = await context.res.clone().arrayBuffer();
      context.header("Content-Length", String(byteLength));
    }
    context.header("Cache-Control", "no-store");
    context.header("X-Content-Type-Options", "nosniff");
  });
  for (const route of routesOf(deps)) {
    const handler = serve(route);
    for (const path of route.paths) app.all(path, handler);
  }
  const fail = (error: unknown): Response => {
    deps.log.error("the admin API failed", { error });
    return new Response(null, { status: 500 });
  };
  app.notFound(() => new Response(null, { status: 404 }));
  app.onError(fail);
  return {
    fetch: async (request, peer) => {
      try {
        return await app.fetch(request, { peer });
      } catch (error) {
        return fail(error);
      }
    },
  };
}

/** First who, then how: a stranger does not learn what a path can do. */
function serve({ isLocal, methods }: Route): Handler {
  const allow = Object.keys(methods).flatMap((method) =>
    method === "GET" ? ["GET", "HEAD"] : [method],
  );
  return (context) => {
    const request = context.req.raw;
    if (isLocal && !(isLocalPeer(context.env.peer) && hasLocalHost(request))) return forbidden();
    // Of a HEAD, hono makes a GET without the body.
    const method = request.method === "HEAD" ? "GET" : request.method;
    const handler = isMethod(method) ? methods[method] : undefined;
    if (handler === undefined) {
      return new Response(null, { status: 405, headers: { Allow: allow.join(", ") } });
    }
    if (method !== "GET" && !isSameOrigin(request)) return forbidden();
    return handler(context);
  };
}

/**
 * Returns the path as it was sent: there is one spelling of each. Without a Host field (HTTP/1.0
 * health checks) Bun's URL is the path alone.
 */
function pathOf(request: Request): string {
  return /^(?:[a-z]+:\/\/[^/?#]*)?([^?#]*)/i.exec(request.url)?.[1] || "/";
}

function isMethod(method: string): method is Method {
  return method === "GET" || method === "PUT" || method === "POST";
}

function forbidden(): Response {
  return text(FORBIDDEN, 403);
}

function text(body: string, status = 200): Response {
  return new Response(body, { status, headers: { "Content-Type": "text/plain; charset=utf-8" } });
}

function routesOf(deps: AdminDeps): Route[] {
  const { fault } = deps;
  return [
    { paths: ["/"], isLocal: false, methods: { GET: page } },
    { paths: ["/live"], isLocal: false, methods: { GET: () => text("live\n") } },
    { paths: ["/ready", "/healthz/ready"], isLocal: false, methods: { GET: ready(deps) } },
    { paths: ["/metrics"], isLocal: false, methods: { GET: metrics(deps) } },
    {
      paths: ["/endpoints"],
      isLocal: true,
      methods: { GET: (context) => context.json(deps.endpoints()) },
    },
    {
      paths: ["/stats"],
      isLocal: true,
      methods: { GET: (context) => context.json(deps.stats()) },
    },
    {
      paths: ["/tap"],
      isLocal: true,
      methods: { GET: (context) => answerTap(deps.taps, context.req.raw) },
    },
    {
      paths: ["/identity"],
      isLocal: true,
      methods: { GET: (context) => context.json(deps.identity()) },
    },
    {
      paths: ["/config"],
      isLocal: true,
      methods: { GET: (context) => context.json(deps.config()) },
    },
    {
      paths: ["/log-level", "/proxy-log-level"],
      isLocal: true,
      methods: { GET: () => text(`${deps.logLevel()}\n`), PUT: putLogLevel(deps) },
    },
    { paths: ["/shutdown", "/quitquitquit"], isLocal: true, methods: { POST: shutdown(deps) } },
    ...(fault === undefined
      ? []
      : [{ paths: ["/fault"], isLocal: true, methods: { POST: stageFault(fault) } }]),
  ];
}

function page(): Response {
  const nonce = crypto.randomUUID();
  return new Response(pageHtml(nonce), {
    headers: {
      "Content-Type": "text/html; charset=utf-8",
      "Content-Security-Policy": pagePolicy(nonce),
      "Referrer-Policy": "no-referrer",
    },
  });
}

function ready(deps: AdminDeps): Handler {
  return (context) => {
    const readiness = deps.isReady();
    const isVerbose = context.req.query("verbose") !== undefined;
    return text(
      isVerbose
        ? verboseReadinessText(readiness, deps.notes(), deps.boundPorts())
        : readinessText(readiness),
      readiness.ready ? 200 : 503,
    );
  };
}

function metrics(deps: AdminDeps): Handler {
  const build = shared(deps.metrics);
  return async () =>
    new Response(await build(), { headers: { "Content-Type": METRICS_CONTENT_TYPE } });
}

function putLogLevel(deps: AdminDeps): Handler {
  return async (context) => {
    const body = await readSmallBody(context.req.raw, LEVEL_BYTES_MAX);
    // The line feed that `echo debug | curl -d @-` leaves.
    const level = parseLogLevel((body ?? "").replace(/\r?\n$/, ""));
    if (level === null) return text("expected one of: error, warn, info, debug\n", 400);
    deps.setLogLevel(level);
    deps.log.info("the log level was set", { to: level });
    return new Response(null, { status: 204 });
  };
}

/** A hook that asks again must not be taken for the second signal, which ends at once. */
function shutdown(deps: AdminDeps): Handler {
  let isAsked = false;
  return () => {
    if (!isAsked) {
      isAsked = true;
      deps.log.info("a shutdown was asked for through the admin API");
      deps.shutdown();
    }
    return text("shutdown\n");
  };
}

/** `POST /fault?worker=0&kind=throw` */
function stageFault(fault: (worker: number, kind: string) => boolean): Handler {
  return (context) => {
    const worker = Number(context.req.query("worker") ?? Number.NaN);
    const isStaged = Number.isInteger(worker) && fault(worker, context.req.query("kind") ?? "");
    return isStaged ? new Response(null, { status: 204 }) : text("no such worker or fault\n", 400);
  };
}
