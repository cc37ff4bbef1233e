/** A reason to end before anything was started: one line for stderr. */
export class StartError extends Error {}
