/** The properties that every object inherits: a field of such a name is there only where the object has it itself. */
export const inheritedNames: ReadonlySet<string> = new Set(Object.getOwnPropertyNames(Object.prototype));

/** The value of a struct's field; others than inherited ones may be getters of a class. */
export function fieldOf(object: object, name: string): unknown {
  if (inheritedNames.has(name) && !Object.hasOwn(object, name)) return undefined;
  return (object as Readonly<Record<string, unknown>>)[name];
}
