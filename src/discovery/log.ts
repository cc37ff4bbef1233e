/** Where discovery tells what happened. Names in a text are checked host names, never raw bytes. */
export type Log = (level: "error" | "warn" | "info" | "debug", text: string) => void;
