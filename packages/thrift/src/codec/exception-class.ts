import type { Struct } from "../idl/model.ts";

/** The class of a declared exception: an `Error` with the fields of the IDL. */
export type ExceptionClass = new (fields?: Readonly<Record<string, unknown>>) => Error;

export function makeExceptionClass(struct: Struct, defaults: ReadonlyMap<string, () => unknown>): ExceptionClass {
  const names = struct.fields.map(({ name }) => name);
  const hasName = names.includes("name");
  // As a property of an object, the class gets the name that it has in the IDL.
  const holder = {
    [struct.name]: class extends Error {
      constructor(fields: Readonly<Record<string, unknown>> = {}) {
        super(typeof fields["message"] === "string" ? fields["message"] : "");
        if (!hasName) Object.defineProperty(this, "name", { value: struct.name, enumerable: false, writable: true, configurable: true });
        for (const name of names) {
          const value = fields[name] === undefined ? defaults.get(name)?.() : fields[name];
          Object.defineProperty(this, name, { value, enumerable: true, writable: true, configurable: true });
        }
      }
    },
  };
  return holder[struct.name] as ExceptionClass;
}
