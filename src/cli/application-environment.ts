/** What the application of `run -- COMMAND` finds in its environment. */
import type { Environment } from "./config.ts";
import { IDENTITY } from "./identity-keys.ts";
import { NOTICE_VARIABLES } from "./open-notices.ts";

/** What stays on the machine needs no sidecar, and the application's own ports least of all. */
const NO_PROXY = "localhost,127.0.0.1,::1";

/**
 * Returns our environment with the sidecar as the proxy for HTTP, in the two spellings that programs
 * read. What goes past a proxy is the user's to say. The join token is not the application's. Nor is
 * the service manager's ear: it hears of the process that it started, which is the sidecar, and an
 * application that said READY=1 or WATCHDOG=1 there would vouch for one that may hang.
 */
export function applicationEnvironment(env: Environment, outboundUrl: string): Environment {
  const hidden: readonly string[] = [IDENTITY.token.variable, ...NOTICE_VARIABLES];
  const rest = Object.fromEntries(Object.entries(env).filter(([name]) => !hidden.includes(name)));
  const noProxy = env["no_proxy"] ?? env["NO_PROXY"] ?? NO_PROXY;
  return {
    NO_PROXY: noProxy,
    no_proxy: noProxy,
    ...rest,
    HTTP_PROXY: outboundUrl,
    http_proxy: outboundUrl,
  };
}
