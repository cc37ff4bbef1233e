/**
 * Imported before uvu: with this mark uvu does not start by itself, so that test.ts starts it, knows
 * when it has ended, and gives the exit status.
 */
Object.assign(globalThis, { UVU_DEFER: 1, UVU_QUEUE: [[null]] });
