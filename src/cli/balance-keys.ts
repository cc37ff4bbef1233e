/** How requests are spread over the endpoints of a service. */
import { BALANCERS } from "../balancer/tuning.ts";
import type { Flag } from "./keys.ts";
import { choice } from "./values.ts";

export const BALANCE = {
  balancer: {
    name: "--balancer",
    variable: "OUTRIGGER_BALANCER",
    placeholder: BALANCERS.join("|"),
    fallback: "ewma",
    help: "how an endpoint is chosen; peak-ewma is Linkerd's, for comparison",
    parse: choice(...BALANCERS),
  },
} as const satisfies Readonly<Record<string, Flag>>;
