import type { Type } from "../idl/model.ts";
import { i64Value, isThere, reserve, within, writeInRuns, wrong, type EmitContext, type EmittedField, type Emitter } from "./emit.ts";
import {
  emptyContainer,
  readByReader,
  readElements,
  writeByWriter,
  writeContainer,
  type Container,
  type ElementEmitter,
} from "./emit-containers.ts";
import { describeType, wireTypeOf } from "./values.ts";

/** The code of the binary protocol. */
export function binaryEmitter(context: EmitContext): Emitter {
  const elements: ElementEmitter = {
    context,
    read: (type, variable) => readValue(elements, type, variable),
    write: (type, value, path) => writeValue(elements, type, value, path),
    leastOf,
    roomOf: (type) => fixedBytes(type),
  };
  return {
    readFields: (fields) => readFields(elements, fields),
    writeFields: (fields) => writeFields(elements, fields),
  };
}

/** The fields are expected in the order of their ids, as most writers write them; any other order takes another round. */
function readFields(elements: ElementEmitter, fields: readonly EmittedField[]): string {
  const reads = fields.map(({ id, type, variable }) => {
    const [high, low] = [(id >> 8) & 0xff, id & 0xff];
    return `if (b[p] === ${wireTypeOf(type)} && b[p + 1] === ${high} && b[p + 2] === ${low}) { p += 3; ${elements.read(type, variable)} }`;
  });
  return `
    for (;;) {
      const s = p;
      ${reads.join("\n")}
      if (b[p] === 0) { p += 1; break; }
      if (p !== s) continue;
      if (p + 3 > e) throw underrun("a struct");
      r.position = p + 3; r.skip(b[p]); p = r.position;
    }
    if (p > e) throw underrun("a struct");
    r.position = p;`;
}

function readValue(elements: ElementEmitter, type: Type, variable: string): string {
  const { context } = elements;
  switch (type.kind) {
    case "bool":
      return `${variable} = b[p++] !== 0;`;
    case "i8":
      return `${variable} = b[p++] << 24 >> 24;`;
    case "i16":
      return `${variable} = b[p] << 24 >> 16 | b[p + 1]; p += 2;`;
    case "i32":
    case "enum":
      return `${within(4, "an i32")} ${variable} = v.getInt32(p); p += 4;`;
    case "i64": {
      if (context.i64 === "bigint") return `${within(8, "an i64")} ${variable} = v.getBigInt64(p); p += 8;`;
      const [high, low] = [context.fresh("h"), context.fresh("l")];
      return `${within(8, "an i64")} const ${high} = v.getInt32(p), ${low} = v.getInt32(p + 4); p += 8; ${variable} = ${i64Value("number", high, low)};`;
    }
    case "double":
      return `${within(8, "a double")} ${variable} = v.getFloat64(p); p += 8;`;
    case "string":
    case "binary":
    case "uuid":
    case "struct":
      return readByReader(context, type, variable);
    default:
      return readContainer(elements, type, variable);
  }
}

function readContainer(elements: ElementEmitter, type: Container, variable: string): string {
  const size = elements.context.fresh("n");
  const headBytes = type.kind === "map" ? 6 : 5;
  const expected = type.kind === "map" ? [wireTypeOf(type.key), wireTypeOf(type.value)] : [wireTypeOf(type.element)];
  const types = expected.map((_, index) => `b[p + ${index}]`);
  const fits = types.map((each, index) => `${each} === ${expected[index]}`).join(" && ");
  return `
    if (p + ${headBytes} > e) throw underrun("a ${type.kind}");
    const ${size} = v.getInt32(p + ${headBytes - 4});
    ${variable} = ${emptyContainer(type)};
    if (${size} !== 0) {
      if (!(${fits})) throw elementTypes(${JSON.stringify(type.kind)}, ${types.join(", ")});
      p += ${headBytes};
      ${readElements(elements, type, variable, size)}
    } else p += ${headBytes};`;
}

function writeFields(elements: ElementEmitter, fields: readonly EmittedField[]): string {
  const written = fields.map(({ id, type, variable, path }) => {
    const head = `b[p] = ${wireTypeOf(type)}; b[p + 1] = ${(id >> 8) & 0xff}; b[p + 2] = ${id & 0xff}; p += 3;`;
    const text = `if (${isThere(variable)}) { ${head} ${elements.write(type, variable, path)} }`;
    return { text, headBytes: 3, valueBytes: fixedBytes(type) };
  });
  return writeInRuns(written);
}

function writeValue(elements: ElementEmitter, type: Type, value: string, path: string): string {
  const complain = wrong(path, describeType(type), value);
  switch (type.kind) {
    case "bool":
      return `b[p++] = ${value} === true ? 1 : ${value} === false ? 0 : ${complain};`;
    case "i8":
      return `if (${value} << 24 >> 24 !== ${value}) ${complain}; b[p++] = ${value};`;
    case "i16":
      return `if (${value} << 16 >> 16 !== ${value}) ${complain}; b[p] = ${value} >> 8; b[p + 1] = ${value}; p += 2;`;
    case "i32":
    case "enum":
      return `if ((${value} | 0) !== ${value}) ${complain}; ${writeI32(value)}`;
    case "i64":
      return `splitI64(${value}, ${JSON.stringify(path)}); { const h = split.high, l = split.low; ${writeI32("h")} ${writeI32("l")} }`;
    case "double":
      return `if (typeof ${value} !== "number") ${complain}; v.setFloat64(p, ${value}); p += 8;`;
    case "string":
    case "binary":
    case "uuid":
    case "struct":
      return writeByWriter(elements.context, type, value, path);
    default:
      return writeContainer(elements, type, value, path, (size) => `${reserve(6)} ${containerHead(type)} ${writeI32(size)}`);
  }
}

function containerHead(type: Container): string {
  return type.kind === "map"
    ? `b[p] = ${wireTypeOf(type.key)}; b[p + 1] = ${wireTypeOf(type.value)}; p += 2;`
    : `b[p] = ${wireTypeOf(type.element)}; p += 1;`;
}

function writeI32(value: string): string {
  return `v.setInt32(p, ${value}); p += 4;`;
}

function fixedBytes(type: Type): number | undefined {
  switch (type.kind) {
    case "bool":
    case "i8":
      return 1;
    case "i16":
      return 2;
    case "i32":
    case "enum":
      return 4;
    case "i64":
    case "double":
      return 8;
    default:
      return undefined;
  }
}

function leastOf(type: Type): number {
  if (type.kind === "uuid") return 16;
  if (type.kind === "string" || type.kind === "binary") return 4;
  if (type.kind === "map") return 6;
  if (type.kind === "list" || type.kind === "set") return 5;
  return fixedBytes(type) ?? 1;
}
