import type { Field, Method, Service, Struct, Type } from "../idl/model.ts";
import { tooDeep } from "../protocol/reading.ts";
import { splitI64 } from "../protocol/int64.ts";
import { ProtocolError } from "../wire/protocol-error.ts";
import { wireTypes } from "../wire/types.ts";
import type { Callable, MethodCodec, Reader, Writer } from "./codec.ts";
import type { CodecOptions } from "./compile.ts";
import { fieldOf } from "./fields.ts";
import { missingResult } from "./missing-result.ts";
import {
  arrayOf,
  byId,
  checkUnion,
  constantMaker,
  describeType,
  mapOf,
  missingField,
  safeNumber,
  wireTypeOf,
  wrongValue,
} from "./values.ts";

/**
 * The codecs of a service without code made of text: the IDL is walked for each message. For both protocols,
 * several times slower than compiled ones.
 */
export function interpretCodecs(service: Service, options: CodecOptions): ReadonlyMap<string, MethodCodec> {
  const interpreter = new Interpreter(options);
  return new Map([...service.methods].map(([name, method]) => [name, interpreter.method(method)]));
}

class Interpreter {
  readonly #options: CodecOptions;

  constructor(options: CodecOptions) {
    this.#options = options;
  }

  method(method: Method): MethodCodec {
    const { name, args, result, throws } = method;
    const success: readonly Field[] = result === undefined ? [] : [successField(result)];
    return {
      call: (reader, callee, self, context) => {
        const found = this.#readFields(reader, args.fields, args.name);
        const values = args.fields.map((field) => found.get(field.name));
        return Reflect.apply(callee, self, context === undefined ? values : [context, ...values]) as ReturnType<Callable>;
      },
      writeArguments: (writer, values) => this.#writeFields(writer, args.fields, args.name, (_field, index) => values[index]),
      writeResult: (writer, value) => {
        const path = `the result of ${name}`;
        if (result !== undefined && (value === undefined || value === null)) wrongValue(path, describeType(result), value);
        this.#writeFields(writer, success, path, () => value);
      },
      writeError: (writer, error) => {
        const declared = throws.find(({ type }) => error instanceof this.#options.exceptionClass(structOf(type)));
        if (declared === undefined) return false;
        this.#writeFields(writer, [declared], name, () => error);
        return true;
      },
      readResult: (reader) => {
        // Exceptions are structs of their own: none of them is required.
        const optional = [...success, ...throws].map((field): Field => ({ ...field, requiredness: "optional" }));
        const found = this.#readFields(reader, optional, name);
        for (const field of throws) if (found.get(field.name) !== undefined) throw found.get(field.name);
        if (result === undefined || found.get("success") !== undefined) return found.get("success");
        throw missingResult(name);
      },
    };
  }

  #readFields(reader: Reader, fields: readonly Field[], owner: string): Map<string, unknown> {
    const values = new Map<string, unknown>();
    reader.readStructBegin();
    for (;;) {
      const { ftype, fid } = reader.readFieldBegin();
      if (ftype === wireTypes.stop) break;
      const field = fields.find(({ id }) => id === fid);
      if (field !== undefined && wireTypeOf(field.type) === ftype) values.set(field.name, this.#read(reader, field.type));
      else reader.skip(ftype);
    }
    reader.readStructEnd();
    for (const { name, type, requiredness, defaultValue } of fields) {
      if (values.has(name)) continue;
      if (defaultValue !== undefined) values.set(name, constantMaker(defaultValue, type, this.#options.i64)());
      else if (requiredness === "required") missingField(`${owner}.${name}`);
    }
    return values;
  }

  #read(reader: Reader, type: Type): unknown {
    switch (type.kind) {
      case "bool":
        return reader.readBool();
      case "i8":
        return reader.readByte();
      case "i16":
        return reader.readI16();
      case "i32":
      case "enum":
        return reader.readI32();
      case "i64":
        return this.#readI64(reader);
      case "double":
        return reader.readDouble();
      case "string":
        return reader.readString();
      case "binary":
        return reader.readBinary();
      case "uuid":
        return reader.readUuid();
      case "struct":
        return this.#readStruct(reader, type.struct);
      case "map":
        return this.#readMap(reader, type);
      default:
        return this.#readElements(reader, type);
    }
  }

  #readI64(reader: Reader): unknown {
    if (this.#options.i64 === "bigint") return reader.readBigint();
    const { high, low } = reader.readI64();
    return safeNumber(high, low);
  }

  #readStruct(reader: Reader, struct: Struct): unknown {
    const values = this.#readFields(reader, struct.fields, struct.name);
    // Every field is there, in the order of the IDL, as it is for compiled codecs.
    const object = Object.fromEntries(struct.fields.map(({ name }) => [name, values.get(name)]));
    return struct.kind === "exception" ? new (this.#options.exceptionClass(struct))(object) : object;
  }

  #readElements(reader: Reader, type: Extract<Type, { element: Type }>): unknown {
    const { etype, size } = reader.readListBegin();
    if (size > 0 && etype !== wireTypeOf(type.element)) throw otherElements(type.kind, [etype]);
    const elements: unknown[] = [];
    this.#nest(reader, () => {
      for (let index = 0; index < size; index++) elements.push(this.#read(reader, type.element));
    });
    return type.kind === "set" ? new Set(elements) : elements;
  }

  #readMap(reader: Reader, { key, value }: Extract<Type, { kind: "map" }>): unknown {
    const { ktype, vtype, size } = reader.readMapBegin();
    if (size > 0 && (ktype !== wireTypeOf(key) || vtype !== wireTypeOf(value))) throw otherElements("map", [ktype, vtype]);
    const entries = new Map<unknown, unknown>();
    this.#nest(reader, () => {
      for (let index = 0; index < size; index++) {
        const each = this.#read(reader, key);
        entries.set(each, this.#read(reader, value));
      }
    });
    return entries;
  }

  #nest(reader: Reader, read: () => void): void {
    if (++reader.depth > reader.limits.maxDepth) throw tooDeep(reader.limits);
    read();
    reader.depth -= 1;
  }

  #writeFields(writer: Writer, fields: readonly Field[], owner: string, valueOf: (field: Field, index: number) => unknown): void {
    writer.writeStructBegin();
    const values = new Map(fields.map((field, index) => [field, this.#present(field, owner, valueOf(field, index))]));
    for (const field of byId(fields)) {
      const value = values.get(field);
      if (value === undefined || value === null) continue;
      writer.writeFieldBegin(field.name, wireTypeOf(field.type), field.id);
      this.#write(writer, field.type, value, `${owner}.${field.name}`);
      writer.writeFieldEnd();
    }
    writer.writeFieldStop();
    writer.writeStructEnd();
  }

  /** What is written for a field: its default where it is not there. */
  #present({ name, type, requiredness, defaultValue }: Field, owner: string, value: unknown): unknown {
    if (value !== undefined && value !== null) return value;
    if (defaultValue !== undefined && requiredness !== "optional") return constantMaker(defaultValue, type, this.#options.i64)();
    return requiredness === "required" ? wrongValue(`${owner}.${name}`, describeType(type), value) : undefined;
  }

  #write(writer: Writer, type: Type, value: unknown, path: string): void {
    switch (type.kind) {
      case "bool":
        if (typeof value !== "boolean") wrongValue(path, describeType(type), value);
        return writer.writeBool(value);
      case "i8":
        return writer.writeByte(integer(value, 8, type, path));
      case "i16":
        return writer.writeI16(integer(value, 16, type, path));
      case "i32":
      case "enum":
        return writer.writeI32(integer(value, 32, type, path));
      case "i64":
        splitI64(value, path);
        return writer.writeI64(value);
      case "double":
        if (typeof value !== "number") wrongValue(path, describeType(type), value);
        return writer.writeDouble(value as number);
      case "string":
        if (typeof value !== "string") wrongValue(path, describeType(type), value);
        return writer.writeString(value);
      case "binary":
        if (typeof value !== "string" && !(value instanceof Uint8Array)) wrongValue(path, describeType(type), value);
        return writer.writeBinary(value);
      case "uuid":
        return writer.writeUuid(value);
      case "struct":
        return this.#writeStruct(writer, type, value, path);
      case "map":
        return this.#writeMap(writer, type, value, path);
      default:
        return this.#writeElements(writer, type, value, path);
    }
  }

  #writeStruct(writer: Writer, type: Extract<Type, { kind: "struct" }>, value: unknown, path: string): void {
    const { struct } = type;
    if (typeof value !== "object" || value === null) wrongValue(path, describeType(type), value);
    if (struct.kind === "union") checkUnion(struct, value);
    this.#writeFields(writer, struct.fields, struct.name, ({ name }) => fieldOf(value, name));
  }

  #writeElements(writer: Writer, type: Extract<Type, { element: Type }>, value: unknown, path: string): void {
    const elements = arrayOf(value, path, describeType(type));
    writer.writeListBegin(wireTypeOf(type.element), elements.length);
    for (const element of elements) this.#write(writer, type.element, element, `${path}: an element`);
    writer.writeListEnd();
  }

  #writeMap(writer: Writer, { key, value: valueType }: Extract<Type, { kind: "map" }>, value: unknown, path: string): void {
    const entries = mapOf(value, key, path);
    writer.writeMapBegin(wireTypeOf(key), wireTypeOf(valueType), entries.size);
    for (const [each, of] of entries) {
      this.#write(writer, key, each, `${path}: a key`);
      this.#write(writer, valueType, of, `${path}: a value`);
    }
    writer.writeMapEnd();
  }
}

function successField(type: Type): Field {
  return { id: 0, name: "success", type, requiredness: "default", defaultValue: undefined, doc: undefined };
}

function structOf(type: Type): Struct {
  return (type as Extract<Type, { kind: "struct" }>).struct;
}

function otherElements(kind: string, found: readonly number[]): ProtocolError {
  return new ProtocolError(`a ${kind} has elements of other types (${found.join(", ")}) than the IDL says`);
}

function integer(value: unknown, bits: 8 | 16 | 32, type: Type, path: string): number {
  const unused = 32 - bits;
  if (typeof value !== "number" || (value << unused) >> unused !== value) wrongValue(path, describeType(type), value);
  return value as number;
}
