/** Whether a service manager wants to be told; what tells it is loaded only then. */
import type { NoticesOptions, ServiceNotices } from "./service-notices.ts";

/** All that it asks by. The application of `run -- COMMAND` gets none of them. */
export const NOTICE_VARIABLES = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] as const;

/** Returns null when nobody wants to be told, or nobody can be. */
export async function openNotices(options: NoticesOptions): Promise<ServiceNotices | null> {
  const { NOTIFY_SOCKET: address = "" } = options.env;
  if (address === "") return null;
  const { ServiceNotices } = await import("./service-notices.ts");
  return ServiceNotices.open(address, options);
}
