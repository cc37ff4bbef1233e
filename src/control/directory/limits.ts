/** Limits and waits of what is announced and watched, with their reasons. */

/** Three times what the largest mesh has that we promise to carry; some 500 bytes each. */
export const ENDPOINTS_MAX = 32_768;
/** One workload's replicas; more is a loop that announces, or a lie. */
export const ENDPOINTS_PER_IDENTITY_MAX = 4_096;
/** Services that are remembered, with endpoints or without. */
export const SERVICES_MAX = 16_384;

/** From a stream's end until its endpoint goes: a restart of a sidecar is not an outage. */
export const LEASE_GRACE_MS = 5_000;
/** After our own start, the longest that a sidecar waits before it connects again, three times. */
export const RESTART_GRACE_MS = 30_000;
/** How often graces are looked at. */
export const EXPIRE_MS = 250;
/**
 * A service that had no endpoint for so long is forgotten. Before that clients are told that it has
 * none; afterwards that there is no such service, and then they look elsewhere.
 */
export const SERVICE_MEMORY_MS = 7 * 86_400_000;
/** How often that is looked at. */
export const FORGET_MS = 60_000;

/** Half of the calls that the server has: one workload cannot keep the others out. */
export const WATCHES_PER_IDENTITY_MAX = 32_768;

/** Between two writes of the endpoints' file. */
export const SAVE_MS = 1_000;
/** What is read of it: twice of what ENDPOINTS_MAX lines of 300 characters come to. */
export const FILE_BYTES_MAX = 20_971_520;
