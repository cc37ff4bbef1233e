/**
 * A million connections (or --connections N) through the hand-off, closed and reset at random
 * moments; no byte may reach another's connection.
 */
import { handOffStress } from "../support/hand-off-stress.ts";

const at = process.argv.indexOf("--connections");
const connections = at === -1 ? 1_000_000 : Number(process.argv[at + 1]);
const figures = await handOffStress(connections);
console.log(figures);
process.exit(figures.crossed + figures.missing + figures.violations === 0 ? 0 : 1);
