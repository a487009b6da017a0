import type { IdlError } from "./idl-error.ts";
import type { Idl, Include } from "./model.ts";

/**
 * What a file and its includes define, by the names that an app knows it by: the file's own names; those of what it
 * includes as the IDL writes them, `shared.NotFound`; and without the prefix as well, where no nearer file has the
 * name. Of two files that are as near the one that is included first has it.
 *
 * @param pick what of a file is meant
 */
export function visibleNames<T>(idl: Idl, pick: (idl: Idl) => ReadonlyMap<string, T>): ReadonlyMap<string, T> {
  const found = new Map(pick(idl));
  const add = (name: string, definition: T): void => {
    if (!found.has(name)) found.set(name, definition);
  };
  // Of two files with one prefix, the one that is included last is asked first, as in the IDL.
  for (const { prefix, idl: included } of idl.includes.toReversed())
    for (const [name, definition] of pick(included)) add(`${prefix}.${name}`, definition);
  for (const included of nearestFirst(idl)) for (const [name, definition] of pick(included)) add(name, definition);
  return found;
}

/** What is doubtful in a file and all that it includes. */
export function warningsOf(idl: Idl): readonly IdlError[] {
  return [idl, ...nearestFirst(idl)].flatMap(({ warnings }) => warnings);
}

/** All files that a file includes, directly or not, each once. */
export function nearestFirst(idl: Idl): readonly Idl[] {
  const found = new Set<Idl>();
  let level: readonly Include[] = idl.includes;
  while (level.length > 0) {
    const next = level.filter(({ idl: included }) => !found.has(included));
    for (const { idl: included } of next) found.add(included);
    level = next.flatMap(({ idl: included }) => included.includes);
  }
  return [...found];
}
