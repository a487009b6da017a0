import type { Type } from "../idl/model.ts";
import { isThere, nests, reserve, viaReader, viaWriter, wrong, type EmitContext } from "./emit.ts";
import { describeType } from "./values.ts";

export type Container = Extract<Type, { kind: "list" | "set" | "map" }>;

/** What a container's code needs to know of its protocol. */
export interface ElementEmitter {
  readonly context: EmitContext;
  /** Statements that read a value at `p` into a declared variable. */
  read(type: Type, variable: string): string;
  /** Statements that write a value at `p`, where there is room for what `roomOf` says. */
  write(type: Type, value: string, path: string): string;
  /** How many bytes a value takes at least. */
  leastOf(type: Type): number;
  /** How many bytes a value may take, when that does not depend on it: else what it needs it sees to itself. */
  roomOf(type: Type): number | undefined;
}

/** Statements that read so many elements into a variable; the container's head has been read. */
export function readElements(emitter: ElementEmitter, type: Container, variable: string, size: string): string {
  const { context } = emitter;
  const index = context.fresh("i");
  const deeper = elementTypes(type).some(nests);
  const isMap = type.kind === "map";
  const least = elementTypes(type).reduce((sum, each) => sum + emitter.leastOf(each), 0);
  const loop = (body: string): string => `for (let ${index} = 0; ${index} < ${size}; ${index}++) { ${body} }`;
  const elements = isMap ? readEntry(emitter, type, variable) : readElement(emitter, type, variable);
  return [
    viaReader(`r.enterContainer(${size}, ${least}, ${isMap ? 2 : 1})`),
    deeper ? "if (++r.depth > r.limits.maxDepth) throw tooDeep(r.limits);" : "",
    loop(elements),
    deeper ? "r.depth -= 1;" : "",
  ].join("\n");
}

function readElement(emitter: ElementEmitter, type: Extract<Type, { element: Type }>, variable: string): string {
  const element = emitter.context.fresh("x");
  const add = type.kind === "set" ? "add" : "push";
  return `let ${element}; ${emitter.read(type.element, element)} ${variable}.${add}(${element});`;
}

function readEntry(emitter: ElementEmitter, type: Extract<Type, { kind: "map" }>, variable: string): string {
  const [key, value] = [emitter.context.fresh("k"), emitter.context.fresh("x")];
  return `let ${key}, ${value}; ${emitter.read(type.key, key)} ${emitter.read(type.value, value)} ${variable}.set(${key}, ${value});`;
}

export function emptyContainer(type: Container): string {
  return { list: "[]", set: "new Set()", map: "new Map()" }[type.kind];
}

/**
 * Statements that write a container.
 *
 * @param head writes the container's head, with room for it, from the variable of its size
 */
export function writeContainer(
  emitter: ElementEmitter,
  type: Container,
  value: string,
  path: string,
  head: (size: string) => string,
): string {
  const { context } = emitter;
  const [all, size] = [context.fresh("a"), context.fresh("n")];
  if (type.kind === "map") {
    const [key, each] = [context.fresh("k"), context.fresh("x")];
    return `{
      const ${all} = mapOf(${value}, ${JSON.stringify({ kind: type.key.kind })}, ${JSON.stringify(path)});
      const ${size} = ${all}.size;
      ${head(size)}
      for (const [${key}, ${each}] of ${all}) {
        ${writeElement(emitter, type.key, key, `${path}: a key`)}
        ${writeElement(emitter, type.value, each, `${path}: a value`)}
      }
    }`;
  }
  const [index, each] = [context.fresh("i"), context.fresh("x")];
  const arrays = `Array.isArray(${value}) ? ${value} : arrayOf(${value}, ${JSON.stringify(path)}, ${JSON.stringify(describeType(type))})`;
  const room = emitter.roomOf(type.element);
  return `{
    const ${all} = ${arrays};
    const ${size} = ${all}.length;
    ${head(size)}
    ${room === undefined ? "" : reserve(`${size} * ${room}`)}
    for (let ${index} = 0; ${index} < ${size}; ${index}++) {
      const ${each} = ${all}[${index}];
      ${emitter.write(type.element, each, `${path}: an element`)}
    }
  }`;
}

function writeElement(emitter: ElementEmitter, type: Type, value: string, path: string): string {
  const room = emitter.roomOf(type);
  return `${room === undefined ? "" : reserve(room)} ${emitter.write(type, value, path)}`;
}

export function elementTypes(type: Container): readonly Type[] {
  return type.kind === "map" ? [type.key, type.value] : [type.element];
}

type StructType = Extract<Type, { kind: "struct" }>;
/** What is no number and no container. */
type ByMethod = Exclude<Type, Container>;

/** Statements that have the reader's own methods, or a struct's function, read a value. */
export function readByReader(context: EmitContext, type: ByMethod, variable: string): string {
  switch (type.kind) {
    case "string":
      return viaReader(`${variable} = r.readString()`);
    case "binary":
      return viaReader(`${variable} = r.readBinary()`);
    case "uuid":
      return viaReader(`${variable} = r.readUuid()`);
    default:
      return viaReader(`${variable} = ${context.structFunction(type as StructType, "read")}(r)`);
  }
}

/** Statements that check a value, and have the writer's own methods, or a struct's function, write it. */
export function writeByWriter(context: EmitContext, type: ByMethod, value: string, path: string): string {
  const complain = wrong(path, describeType(type), value);
  switch (type.kind) {
    case "string":
      return `if (typeof ${value} !== "string") ${complain}; ${viaWriter(`w.writeString(${value})`)}`;
    case "binary":
      return `if (typeof ${value} !== "string" && !(${value} instanceof Uint8Array)) ${complain}; ${viaWriter(`w.writeBinary(${value})`)}`;
    case "uuid":
      return viaWriter(`w.writeUuid(${value})`);
    default:
      return `${checkObject(value, path, type)} ${viaWriter(`${context.structFunction(type as StructType, "write")}(w, ${value})`)}`;
  }
}

/** Guards what must be an object before its fields are looked at. */
function checkObject(value: string, path: string, type: Type): string {
  return `if (typeof ${value} !== "object" || !(${isThere(value)})) ${wrong(path, describeType(type), value)};`;
}
