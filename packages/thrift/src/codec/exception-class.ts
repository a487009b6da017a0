import type { Struct } from "../idl/model.ts";
import { fieldOf } from "./fields.ts";

/** The class of a declared exception: an `Error` with the fields of the IDL. */
export type ExceptionClass = new (fields?: Readonly<Record<string, unknown>>) => Error;

/** Names the definition that an exception is of; one in a process, even where an app brings a copy of this package of its own. */
const definitionKey: unique symbol = Symbol.for("tsserve.thrift.definition") as never;

/**
 * Makes the class of an exception. Two classes of one definition know each other's exceptions: `instanceof` asks
 * for the file and the name that an exception has in the IDL.
 */
export function makeExceptionClass(struct: Struct, defaults: ReadonlyMap<string, () => unknown>): ExceptionClass {
  const names = struct.fields.map(({ name }) => name);
  const hasName = names.includes("name");
  const definition = `${struct.file}#${struct.name}`;
  // As a property of an object, the class gets the name that it has in the IDL.
  const holder = {
    [struct.name]: class extends Error {
      static override [Symbol.hasInstance](value: unknown): boolean {
        // Of an app's own subclass, only what that has made.
        if (this !== made) return Function.prototype[Symbol.hasInstance].call(this, value);
        return typeof value === "object" && value !== null && (value as { [definitionKey]?: unknown })[definitionKey] === definition;
      }

      constructor(fields: Readonly<Record<string, unknown>> = {}) {
        const message = fieldOf(fields, "message");
        super(typeof message === "string" ? message : "");
        if (!hasName) Object.defineProperty(this, "name", { value: struct.name, enumerable: false, writable: true, configurable: true });
        for (const name of names) {
          const given = fieldOf(fields, name);
          const value = given === undefined ? defaults.get(name)?.() : given;
          Object.defineProperty(this, name, { value, enumerable: true, writable: true, configurable: true });
        }
      }
    },
  };
  const made = holder[struct.name] as ExceptionClass;
  Object.defineProperty(made.prototype, definitionKey, { value: definition });
  return made;
}
