/** What the application of `run -- COMMAND` finds in its environment. */
import type { Environment } from "./config.ts";
import { IDENTITY } from "./identity-keys.ts";

/** What stays on the machine needs no sidecar, and the application's own ports least of all. */
const NO_PROXY = "localhost,127.0.0.1,::1";

/**
 * Returns our environment with the sidecar as the proxy for HTTP, in the two spellings that programs
 * read. What goes past a proxy is the user's to say. The join token is not the application's.
 */
export function applicationEnvironment(env: Environment, outboundUrl: string): Environment {
  const { [IDENTITY.token.variable]: _, ...rest } = env;
  const noProxy = env["no_proxy"] ?? env["NO_PROXY"] ?? NO_PROXY;
  return {
    NO_PROXY: noProxy,
    no_proxy: noProxy,
    ...rest,
    HTTP_PROXY: outboundUrl,
    http_proxy: outboundUrl,
  };
}
