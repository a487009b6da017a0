import type { Callable } from "../codec/codec.ts";

/** A handler's method; what every object inherits, such as `toString`, is none. */
export function methodOf(handler: object, name: string): Callable | undefined {
  const found = (handler as Readonly<Record<string, unknown>>)[name];
  if (typeof found !== "function") return undefined;
  if (found === (Object.prototype as unknown as Readonly<Record<string, unknown>>)[name]) return undefined;
  // That of a class's object is the class.
  if (name === "constructor" && !Object.hasOwn(handler, name)) return undefined;
  return found as Callable;
}
