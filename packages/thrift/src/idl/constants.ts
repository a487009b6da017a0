import { IdlError } from "./idl-error.ts";
import type { Constant, Type } from "./model.ts";
import type { ConstSyntax, Place } from "./syntax.ts";

/** What a constant needs of its file. */
export interface ConstantScope {
  /** The constant of a name. @throws {IdlError} when there is none */
  constantNamed(name: string, place: Place): Constant;
  /** Told what is taken as Apache's compiler takes it, though it is hardly what was meant. */
  warn(place: Place, message: string): void;
}

const integerBits: Readonly<Record<string, number>> = { i8: 8, i16: 16, i32: 32, i64: 64, enum: 32 };

/**
 * The value of a constant or a default, checked against its type. An integer that is too big for it is cut to its bits, as
 * what Apache's compiler makes of it for C++, Java and Go is on the wire.
 *
 * @throws {IdlError} when it is of another type
 */
export function constantOf(syntax: ConstSyntax, type: Type, scope: ConstantScope): Constant {
  if (syntax.kind === "name") return named(syntax.name, syntax.place, type, scope);
  const wrong = (): IdlError => new IdlError(syntax.place, `expected ${describe(type)}, found ${found(syntax)}`);
  switch (type.kind) {
    case "bool":
      // As for Apache's compiler, to which `true` is another way to write 1.
      if (syntax.kind === "integer") return { kind: "bool", value: syntax.value > 0n };
      throw wrong();
    case "i8":
    case "i16":
    case "i32":
    case "i64":
    case "enum":
      if (syntax.kind !== "integer") throw wrong();
      return integer(syntax.value, syntax.place, type, scope);
    case "double":
      if (syntax.kind === "integer" || syntax.kind === "double") return { kind: "number", value: Number(syntax.value) };
      throw wrong();
    case "string":
    case "binary":
    case "uuid":
      if (syntax.kind !== "string" || (type.kind === "uuid" && !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(syntax.value)))
        throw wrong();
      return { kind: "string", value: syntax.value };
    case "list":
    case "set":
      if (isEmpty(syntax)) return { kind: "list", items: [] };
      if (syntax.kind !== "list") throw wrong();
      return { kind: "list", items: syntax.items.map((item) => constantOf(item, type.element, scope)) };
    case "map":
      if (isEmpty(syntax)) return { kind: "map", entries: [] };
      if (syntax.kind !== "map") throw wrong();
      return {
        kind: "map",
        entries: syntax.entries.map(([key, value]) => [constantOf(key, type.key, scope), constantOf(value, type.value, scope)]),
      };
    case "struct":
      if (syntax.kind !== "map") throw wrong();
      return struct(syntax.entries, type, scope);
    default:
      return type satisfies never;
  }
}

/** Without elements, a list and a map may be written in the brackets of either. */
function isEmpty(syntax: ConstSyntax): boolean {
  return (syntax.kind === "list" && syntax.items.length === 0) || (syntax.kind === "map" && syntax.entries.length === 0);
}

function struct(
  entries: readonly (readonly [ConstSyntax, ConstSyntax])[],
  type: Extract<Type, { kind: "struct" }>,
  scope: ConstantScope,
): Constant {
  const fields = new Map<string, Constant>();
  for (const [key, value] of entries) {
    const name = key.kind === "string" ? key.value : "";
    const field = type.struct.fields.find((each) => each.name === name);
    if (field === undefined) throw new IdlError(key.place, `expected a field of ${type.struct.name} in quotes, found ${found(key)}`);
    fields.set(name, constantOf(value, field.type, scope));
  }
  return { kind: "struct", struct: type.struct, fields };
}

function named(name: string, place: Place, type: Type, scope: ConstantScope): Constant {
  if (name === "true" || name === "false") return constantOf({ kind: "integer", value: name === "true" ? 1n : 0n, place }, type, scope);
  // Where the type is an enum, Apache's compiler looks at the last part of the name only: `RED`, `Colour.RED`,
  // `shared.RED` and `shared.Colour.RED` are one.
  const member = type.kind === "enum" ? type.enum.values.get(name.slice(name.lastIndexOf(".") + 1)) : undefined;
  if (member !== undefined) return { kind: "number", value: member };
  const constant = scope.constantNamed(name, place);
  const refit = fit(constant, place, type, scope);
  if (refit === undefined) throw new IdlError(place, `expected ${describe(type)}, and ${name} is none`);
  return refit;
}

/** A constant in the place of another type: an integer may serve as a wider one, or as a bool, and a bool as an integer. */
function fit(constant: Constant, place: Place, type: Type, scope: ConstantScope): Constant | undefined {
  if (constant.kind === "bool" && type.kind !== "bool") return fit({ kind: "number", value: constant.value ? 1 : 0 }, place, type, scope);
  if (type.kind === "bool" && (constant.kind === "number" || constant.kind === "i64"))
    return Number.isInteger(Number(constant.value)) ? { kind: "bool", value: constant.value > 0 } : undefined;
  if (type.kind in integerBits && (constant.kind === "number" || constant.kind === "i64")) {
    const isInteger = typeof constant.value === "bigint" || Number.isInteger(constant.value);
    return isInteger ? integer(BigInt(constant.value), place, type, scope) : undefined;
  }
  if (constant.kind === "i64" && type.kind === "double") return { kind: "number", value: Number(constant.value) };
  const kinds: Readonly<Record<Constant["kind"], readonly Type["kind"][]>> = {
    bool: ["bool"],
    number: ["double"],
    i64: [],
    string: ["string", "binary", "uuid"],
    list: ["list", "set"],
    map: ["map"],
    struct: ["struct"],
  };
  return kinds[constant.kind].includes(type.kind) ? constant : undefined;
}

/** An enum's value has to be one of 32 bits: there is no compiler that cuts it. @throws {IdlError} when it is not */
function integer(written: bigint, place: Place, type: Type, scope: ConstantScope): Constant {
  const bits = integerBits[type.kind] ?? 64;
  const value = BigInt.asIntN(bits, written);
  if (value !== written) {
    const message = `${written} does not fit into ${describe(type)}`;
    if (type.kind === "enum" || type.kind === "i64") throw new IdlError(place, message);
    scope.warn(place, `${message}: it is ${value} on the wire`);
  }
  return type.kind === "i64" ? { kind: "i64", value } : { kind: "number", value: Number(value) };
}

function describe(type: Type): string {
  if (type.kind === "enum") return `a value of ${type.enum.name}`;
  if (type.kind === "struct") return `a ${type.struct.name} as { "field": value }`;
  return `a value of type ${type.kind}`;
}

function found(syntax: ConstSyntax): string {
  switch (syntax.kind) {
    case "integer":
    case "double":
      return String(syntax.value);
    case "string":
      return JSON.stringify(syntax.value);
    case "name":
      return syntax.name;
    default:
      return `a ${syntax.kind}`;
  }
}
