import type { Constant, Struct, Type } from "../idl/model.ts";
import { ProtocolError } from "../wire/protocol-error.ts";
import { wireTypes } from "../wire/types.ts";
import type { I64Mode } from "./codec.ts";
import { fieldOf } from "./fields.ts";

/** What compiled and interpreted codecs have in common: what is no value of a type, and how that is said. */

export function wireTypeOf(type: Type): number {
  switch (type.kind) {
    case "enum":
      return wireTypes.i32;
    case "binary":
      return wireTypes.string;
    default:
      return wireTypes[type.kind];
  }
}

/** `an i32`, `a list`: for messages. */
export function describeType(type: Type): string {
  if (type.kind === "struct") return `a ${type.struct.name}`;
  if (type.kind === "enum") return `a value of ${type.enum.name}`;
  if (type.kind === "i64") return "an i64 (a bigint or a safe integer)";
  if (type.kind === "binary") return "bytes or a text";
  return /^[aei]/.test(type.kind) ? `an ${type.kind}` : `a ${type.kind}`;
}

export function wrongValue(path: string, expected: string, value: unknown): never {
  throw new TypeError(`${path}: expected ${expected}, found ${describeValue(value)}`);
}

function describeValue(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === "string") return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint") return String(value);
  return Array.isArray(value) ? "an array" : `a ${typeof value === "object" ? (value.constructor?.name ?? "object") : typeof value}`;
}

export function missingField(path: string): never {
  throw new ProtocolError(`the required field ${path} is missing`);
}

/** @throws {ProtocolError} when the i64 is no safe integer */
export function safeNumber(high: number, low: number): number {
  const value = high * 0x1_0000_0000 + (low >>> 0);
  if (!Number.isSafeInteger(value)) throw new ProtocolError("an i64 is more than a number can hold: load the service with i64 = bigint");
  return value;
}

/** What may be given for a list or set, as an array. */
export function arrayOf(value: unknown, path: string, expected: string): readonly unknown[] {
  if (Array.isArray(value)) return value as unknown[];
  if (typeof value === "object" && value !== null && Symbol.iterator in value) return [...(value as Iterable<unknown>)];
  return wrongValue(path, expected, value);
}

/** What may be given for a map: a `Map`, or an object where the keys are texts or integers. */
export function mapOf(value: unknown, key: Type, path: string): ReadonlyMap<unknown, unknown> {
  if (value instanceof Map) return value;
  if (typeof value !== "object" || value === null) return wrongValue(path, "a map", value);
  switch (key.kind) {
    case "string":
      return new Map(Object.entries(value));
    case "i8":
    case "i16":
    case "i32":
    case "enum":
      return new Map(Object.entries(value).map(([name, each]) => [Number(name), each]));
    case "i64":
      return new Map(Object.entries(value).map(([name, each]) => [BigInt(name), each]));
    default:
      return wrongValue(path, "a Map", value);
  }
}

/** A function that gives a value of its own at each call, since containers may be changed. */
export function constantMaker(constant: Constant, type: Type, i64: I64Mode): () => unknown {
  switch (constant.kind) {
    case "bool":
      return () => constant.value;
    case "number":
      return () => constant.value;
    case "i64": {
      const value = i64 === "bigint" ? constant.value : Number(constant.value);
      return () => value;
    }
    case "string":
      return type.kind === "binary" ? () => Buffer.from(constant.value) : () => constant.value;
    case "list": {
      const element = (type as Extract<Type, { element: Type }>).element;
      const makers = constant.items.map((item) => constantMaker(item, element, i64));
      return type.kind === "set" ? () => new Set(makers.map((make) => make())) : () => makers.map((make) => make());
    }
    case "map": {
      const { key, value } = type as Extract<Type, { kind: "map" }>;
      const makers = constant.entries.map(([k, v]) => [constantMaker(k, key, i64), constantMaker(v, value, i64)] as const);
      return () => new Map(makers.map(([k, v]) => [k(), v()]));
    }
    case "struct": {
      const makers = constant.struct.fields.map((field) => {
        const own = constant.fields.get(field.name) ?? field.defaultValue;
        return [field.name, own === undefined ? () => undefined : constantMaker(own, field.type, i64)] as const;
      });
      return () => Object.fromEntries(makers.map(([name, make]) => [name, make()]));
    }
    default:
      return constant satisfies never;
  }
}

/** @throws {TypeError} unless exactly one field of a union is set */
export function checkUnion(struct: Struct, value: object): void {
  const set = struct.fields.filter(({ name }) => fieldOf(value, name) !== undefined && fieldOf(value, name) !== null);
  if (set.length !== 1)
    wrongValue(struct.name, "a union with one field", set.length === 0 ? undefined : set.map(({ name }) => name).join(", "));
}

/** Fields in the order of their ids, which is how the writers of most languages order them. */
export function byId<F extends { readonly id: number }>(fields: readonly F[]): readonly F[] {
  return [...fields].sort((a, b) => a.id - b.id);
}
