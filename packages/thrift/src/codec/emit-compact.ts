import type { Type } from "../idl/model.ts";
import { compactTypes } from "../wire/types.ts";
import {
  i64Value,
  isThere,
  reserve,
  viaReader,
  viaWriter,
  within,
  writeInRuns,
  wrong,
  type EmitContext,
  type EmittedField,
  type Emitter,
} from "./emit.ts";
import {
  emptyContainer,
  readByReader,
  readElements,
  writeByWriter,
  writeContainer,
  type Container,
  type ElementEmitter,
} from "./emit-containers.ts";
import { describeType } from "./values.ts";

/** The code of the compact protocol. */
export function compactEmitter(context: EmitContext): Emitter {
  const elements: ElementEmitter = {
    context,
    read: (type, variable) => readValue(elements, type, variable),
    write: (type, value, path) => writeValue(elements, type, value, path),
    leastOf,
    roomOf,
  };
  return {
    readFields: (fields) => readFields(elements, fields),
    writeFields: (fields) => writeFields(elements, fields),
  };
}

/**
 * `h` is the head of the next field in its short form, `l` the id of the last one: a field is recognised by
 * comparing both at once with what its own head would be. A head in the long form is brought into the short
 * one first. The fields are expected in the order of their ids; any other order takes another round.
 */
function readFields(elements: ElementEmitter, fields: readonly EmittedField[]): string {
  const reads = fields.map(({ id, type, variable }) => {
    const next = `l = ${id}; h = b[p++];`;
    if (type.kind === "bool") {
      const rest = elements.context.fresh("t");
      return `const ${rest} = h - ((${id} - l) << 4); if ((${rest} === 1 || ${rest} === 2) && l < ${id}) { ${variable} = ${rest} === 1; ${next} }`;
    }
    return `if (h === ((${id} - l) << 4 | ${compactTypeOf(type)})) { ${elements.read(type, variable)} ${next} }`;
  });
  return `
    let l = 0, h = b[p++];
    for (;;) {
      if (h < 16 && h !== 0) { ${viaReader("l = r.readI16() - 1")} h = 16 | h; }
      const s = p;
      ${reads.join("\n")}
      if ((h & 15) === 0) break;
      if (p !== s) continue;
      if (p > e) throw underrun("a struct");
      l += h >> 4;
      ${viaReader("r.skipField(h & 15)")}
      h = b[p++];
    }
    if (p > e) throw underrun("a struct");
    r.position = p;`;
}

/** Statements that read a varint of up to 32 bits into a new constant. */
function readVarint(into: string): string {
  return `let ${into} = b[p++]; if (!(${into} < 128)) { p -= 1; ${viaReader(`${into} = r.readVarint()`)} }`;
}

function readValue(elements: ElementEmitter, type: Type, variable: string): string {
  const { context } = elements;
  switch (type.kind) {
    case "bool":
      return `${variable} = b[p++] === 1;`;
    case "i8":
      return `${variable} = b[p++] << 24 >> 24;`;
    case "i16":
    case "i32":
    case "enum": {
      const raw = context.fresh("z");
      const value = `(${raw} >>> 1) ^ -(${raw} & 1)`;
      // A longer varint in the place of an i16 keeps its low bits, as in Apache's readers.
      return `${readVarint(raw)} ${variable} = ${type.kind === "i16" ? `(${value}) << 16 >> 16` : value};`;
    }
    case "i64":
      return `${viaReader("r.readLong()")} ${variable} = ${i64Value(context.i64, "r.high", "r.low")};`;
    case "double":
      return `${within(8, "a double")} ${variable} = v.getFloat64(p, true); p += 8;`;
    case "string":
    case "binary":
    case "uuid":
    case "struct":
      return readByReader(context, type, variable);
    case "map":
      return readMap(elements, type, variable);
    default:
      return readList(elements, type, variable);
  }
}

function readList(elements: ElementEmitter, type: Extract<Container, { element: Type }>, variable: string): string {
  const [size, head] = [elements.context.fresh("n"), elements.context.fresh("c")];
  return `
    const ${head} = b[p++];
    let ${size} = ${head} >> 4;
    if (${size} === 15) { ${viaReader(`${size} = r.readVarint()`)} }
    ${variable} = ${emptyContainer(type)};
    if (${size} !== 0) {
      if (!(${fits(type.element, `(${head} & 15)`)})) throw elementTypes(${JSON.stringify(type.kind)}, ${head} & 15);
      ${readElements(elements, type, variable, size)}
    }`;
}

function readMap(elements: ElementEmitter, type: Extract<Container, { kind: "map" }>, variable: string): string {
  const [size, types] = [elements.context.fresh("n"), elements.context.fresh("c")];
  return `
    ${readVarint(size)}
    ${variable} = ${emptyContainer(type)};
    if (${size} !== 0) {
      const ${types} = b[p++];
      if (!(${fits(type.key, `(${types} >> 4)`)} && ${fits(type.value, `(${types} & 15)`)})) throw elementTypes("map", ${types} >> 4, ${types} & 15);
      ${readElements(elements, type, variable, size)}
    }`;
}

/** A boolean's type may be written as either of its values. */
function fits(type: Type, found: string): string {
  if (type.kind === "bool") return `(${found} === 1 || ${found} === 2)`;
  return `${found} === ${compactTypeOf(type)}`;
}

function writeFields(elements: ElementEmitter, fields: readonly EmittedField[]): string {
  const hasNegative = fields.some(({ id }) => id < 0);
  const written = fields.map(({ id, type, variable, path }) => {
    const complain = wrong(path, describeType(type), variable);
    // The head of a boolean holds its value.
    const isBool = type.kind === "bool";
    const typeId = isBool
      ? `(${variable} === true ? ${compactTypes.true} : ${variable} === false ? ${compactTypes.false} : ${complain})`
      : String(compactTypeOf(type));
    const value = isBool ? "" : elements.write(type, variable, path);
    const text = `if (${isThere(variable)}) { ${fieldHead(id, typeId, hasNegative)} l = ${id}; ${value} }`;
    return { text, headBytes: 4, valueBytes: isBool ? 0 : roomOf(type) };
  });
  return `let l = 0; ${writeInRuns(written)}`;
}

/** The short form where the distance from the last field fits, as it always does from 1 to 15 unless an id was negative. */
function fieldHead(id: number, type: string, afterNegative: boolean): string {
  const long = `b[p++] = ${type}; { ${writeVarint(String(((id << 1) ^ (id >> 31)) >>> 0))} }`;
  const short = `b[p++] = (${id} - l) << 4 | ${type};`;
  if (id <= 0) return `if (${id} - l > 0 && ${id} - l <= 15) { ${short} } else { ${long} }`;
  return id <= 15 && !afterNegative ? short : `if (${id} - l <= 15) { ${short} } else { ${long} }`;
}

function writeVarint(value: string): string {
  return `let z = ${value}; while (z >= 128) { b[p++] = z & 127 | 128; z >>>= 7; } b[p++] = z;`;
}

const zigzag = (value: string): string => `((${value} << 1) ^ (${value} >> 31)) >>> 0`;

function writeValue(elements: ElementEmitter, type: Type, value: string, path: string): string {
  const complain = wrong(path, describeType(type), value);
  switch (type.kind) {
    case "bool":
      return `b[p++] = ${value} === true ? 1 : ${value} === false ? 2 : ${complain};`;
    case "i8":
      return `if (${value} << 24 >> 24 !== ${value}) ${complain}; b[p++] = ${value};`;
    case "i16":
      return `if (${value} << 16 >> 16 !== ${value}) ${complain}; { ${writeVarint(zigzag(value))} }`;
    case "i32":
    case "enum":
      return `if ((${value} | 0) !== ${value}) ${complain}; { ${writeVarint(zigzag(value))} }`;
    case "i64":
      return `splitI64(${value}, ${JSON.stringify(path)}); ${viaWriter("w.writeLong(split.high, split.low)")}`;
    case "double":
      return `if (typeof ${value} !== "number") ${complain}; v.setFloat64(p, ${value}, true); p += 8;`;
    case "string":
    case "binary":
    case "uuid":
    case "struct":
      return writeByWriter(elements.context, type, value, path);
    case "map":
      return writeContainer(elements, type, value, path, (size) => {
        const types = (compactTypeOf(type.key) << 4) | compactTypeOf(type.value);
        return `${reserve(6)} { ${writeVarint(size)} } if (${size} !== 0) b[p++] = ${types};`;
      });
    default:
      return writeContainer(elements, type, value, path, (size) => {
        const element = compactTypeOf(type.element);
        return `${reserve(6)} if (${size} < 15) b[p++] = ${size} << 4 | ${element}; else { b[p++] = ${0xf0 | element}; ${writeVarint(size)} }`;
      });
  }
}

/** A boolean's is that of true. */
function compactTypeOf(type: Type): number {
  switch (type.kind) {
    case "bool":
      return compactTypes.true;
    case "enum":
      return compactTypes.i32;
    case "binary":
      return compactTypes.string;
    default:
      return compactTypes[type.kind];
  }
}

/** The most bytes of what has not too many; an i64 is written by the writer. */
function roomOf(type: Type): number | undefined {
  switch (type.kind) {
    case "bool":
    case "i8":
      return 1;
    case "i16":
      return 3;
    case "i32":
    case "enum":
      return 5;
    case "double":
      return 8;
    default:
      return undefined;
  }
}

function leastOf(type: Type): number {
  if (type.kind === "double") return 8;
  return type.kind === "uuid" ? 16 : 1;
}
