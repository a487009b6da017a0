import type { Struct } from "../idl/model.ts";
import type { I64Mode } from "./codec.ts";
import { makeExceptionClass, type ExceptionClass } from "./exception-class.ts";
import { constantMaker } from "./values.ts";

/** The class of a definition, and what it was made of. */
interface Known {
  readonly shape: string;
  readonly made: ExceptionClass;
}

const key = Symbol.for("tsserve.thrift.exceptions");

/**
 * The classes of exceptions by the files and names that define them. One in a process, even where an app brings a
 * copy of this package of its own: however often a file is loaded, an exception of it is one class.
 */
const known: Map<string, Known[]> = ((globalThis as { [key]?: Map<string, Known[]> })[key] ??= new Map<string, Known[]>());

/** Of a file that changes and is loaded again and again, so many forms of an exception are kept. */
const mostShapes = 8;

/** The class of a declared exception: a new one only where the file has changed since it was loaded, or its defaults are seen otherwise. */
export function exceptionClassOf(struct: Struct, i64: I64Mode): ExceptionClass {
  const defaults = struct.fields.flatMap((field) =>
    field.defaultValue === undefined ? [] : [[field.name, constantMaker(field.defaultValue, field.type, i64)] as const],
  );
  const definition = `${struct.file}#${struct.name}`;
  const shape = shapeOf(struct, defaults);
  const shapes = known.get(definition) ?? [];
  const found = shapes.find((each) => each.shape === shape);
  if (found !== undefined) return found.made;
  const made = makeExceptionClass(struct, new Map(defaults));
  known.set(definition, [...shapes, { shape, made }].slice(-mostShapes));
  return made;
}

/** What a class depends on: the names of the fields, and their defaults. */
function shapeOf({ fields }: Struct, defaults: readonly (readonly [string, () => unknown])[]): string {
  const values = defaults.map(([name, make]) => [name, make()]);
  return JSON.stringify([fields.map(({ name }) => name), values], (_name, value: unknown) => {
    if (typeof value === "bigint") return `${value}n`;
    if (value instanceof Map || value instanceof Set) return [value.constructor.name, ...value];
    return value;
  });
}
