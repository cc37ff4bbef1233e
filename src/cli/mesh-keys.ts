/** The flags of `run` about what is told to a control plane, and kept of what it said. */
import type { Flag } from "./keys.ts";
import { pathOrNone } from "./values.ts";

export const MESH = {
  stateDir: {
    name: "--state-dir",
    variable: "OUTRIGGER_STATE_DIR",
    placeholder: "DIR",
    fallback: null,
    fallbackText: "~/.local/state/outrigger/NAME.NAMESPACE",
    help: "what the control plane said is kept there across restarts; empty for nowhere",
    parse: pathOrNone,
  },
} as const satisfies Readonly<Record<string, Flag>>;
