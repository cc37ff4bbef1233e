/** The word that says which of several things a command does, as configured. */
import type { Values } from "./config.ts";
import type { CommandName, Verb } from "./keys.ts";
import { quote } from "./values.ts";

/** Reads the verb and the word behind it, null without one. What is wrong is told to `values`. */
export function readVerb<Name extends string>(
  values: Values,
  command: CommandName,
  verbs: readonly (Verb & { readonly name: Name })[],
): { readonly verb: Name; readonly word: string | null } {
  const [given = "", word = null] = values.words;
  const verb = verbs.find(({ name }) => name === given);
  if (verb === undefined) {
    const names = verbs.map(({ name }) => name);
    const known = names.length === 1 ? names.join() : `one of ${names.join(", ")}`;
    values.refuse(`${command}: ${quote(given)}: expected ${known}`);
  }
  if (word !== null && verb?.placeholder === null) {
    values.refuse(`${command} ${given}: unexpected argument ${quote(word)}`);
  }
  return { verb: verb?.name ?? (given as Name), word };
}
