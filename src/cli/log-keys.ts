/** The flags of every program that logs. */
import { LOG_LEVELS } from "../lib/log.ts";
import type { Flag } from "./keys.ts";
import { choice } from "./values.ts";

export const LOG = {
  logLevel: {
    name: "--log-level",
    variable: "OUTRIGGER_LOG_LEVEL",
    placeholder: LOG_LEVELS.join("|"),
    fallback: "info",
    help: "the least severe that is logged to stderr",
    parse: choice(...LOG_LEVELS),
  },
  logFormat: {
    name: "--log-format",
    variable: "OUTRIGGER_LOG_FORMAT",
    placeholder: "text|json",
    fallback: "text",
    help: "the form of the log's lines",
    parse: choice("text", "json"),
  },
} as const satisfies Readonly<Record<string, Flag>>;
