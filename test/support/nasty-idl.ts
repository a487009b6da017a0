import type { Enum, Field, Struct, Type } from "@tsserve/thrift";
import type { Random } from "./random-idl.ts";

/** Names that mean something to JavaScript, to TypeScript, or to what is written of an IDL. */
const nastyNames =
  `Error Map Set Promise Buffer Omit Readonly Record Partial Array Object Function String Number Boolean Symbol Date JSON Math Uint8Array
   ThriftContext Definitions S SHandler SContextHandler SClient SHandler2 EFields EValues Error2 Map2 E E2
   any unknown never object number boolean bigint symbol undefined globalThis type interface class await yield let constructor
   __proto__ toString hasOwnProperty valueOf isPrototypeOf default new get of arguments eval this null context context2 given in var
   delete import export declare module global NaN Infinity _ __ a A`.split(/\s+/);

const baseTypes = ["bool", "i8", "i16", "i32", "i64", "double", "string", "binary", "uuid"];

/** Two files, one of which includes the other, with as many nasty names as there is room for; services `S` and `T`. */
export function nastyIdl(random: Random): Readonly<Record<"main.thrift" | "shared.thrift", string>> {
  const pick = <T>(values: readonly T[]): T => values[random(values.length)] as T;
  /** Names that differ. */
  const some = (count: number, reserved: readonly string[] = []): string[] => {
    const found = new Set<string>();
    while (found.size < count) {
      const name = pick(nastyNames);
      if (!reserved.includes(name)) found.add(name);
    }
    return [...found];
  };

  const file = (services: readonly string[], included: readonly string[]): { readonly text: string; readonly types: readonly string[] } => {
    const [colour = "", tone = "", wrong = "", late = "", ...structs] = some(9, services);
    const types = [colour, tone];
    const type = (depth: number): string => {
      const kind = random(depth > 2 ? 8 : 14);
      if (kind < 4) return pick(baseTypes);
      if (kind < 8) return pick([...types, ...included]);
      if (kind < 10) return `list<${type(depth + 1)}>`;
      if (kind < 12) return `set<${pick([...baseTypes, colour])}>`;
      return `map<${pick(["string", "i32", "i64", "bool", colour])}, ${type(depth + 1)}>`;
    };
    const fields = (count: number): string =>
      some(count)
        .map((name, index) => `${index + 1}: ${pick(["", "optional ", "required "])}${type(0)} ${name}`)
        .join(", ");
    const texts = [
      `enum ${colour} { ${some(4).join(", ")} }`,
      `enum ${tone} { ${some(3).join(" = 7, ")} }`,
      ...structs.map((name, index) => {
        const text = `${index === 1 ? "union" : "struct"} ${name} { ${fields(index === 2 ? 0 : 1 + random(7))} }`;
        types.push(name);
        return text;
      }),
      `exception ${wrong} { ${fields(4)} }`,
      `exception ${late} { 1: i32 message, 2: optional string name, 3: string cause = "x", 4: bool stack }`,
      `const i64 ${pick(nastyNames)} = 5`,
      ...services.map((name) => {
        const methods = some(6).map((each, index) =>
          index === 0
            ? `oneway void ${each}(${fields(2)})`
            : `${index === 1 ? "void" : type(1)} ${each}(${fields(random(5))}) throws (1: ${wrong} e, 2: ${late} f)`,
        );
        return `service ${name} { ${methods.join(" ")} }`;
      }),
    ];
    return { text: texts.join("\n"), types };
  };
  const shared = file([], []);
  const main = file(
    ["S", "T"],
    shared.types.map((name) => `shared.${name}`),
  );
  return { "main.thrift": `include "shared.thrift"\n${main.text}`, "shared.thrift": shared.text };
}

/** A value of a type as the text of a TypeScript expression. */
export function literalOf(type: Type, random: Random, depth = 0): string {
  // One at most: of several, TypeScript would have to find a common type before it knows which is wanted.
  const several = (make: () => string): string => (depth > 2 || random(3) === 0 ? "" : make());
  switch (type.kind) {
    case "bool":
      return String(random(2) === 0);
    case "i8":
    case "i16":
    case "i32":
      return String(random(100) - 50);
    case "i64":
      return `${random(1000) - 500}n`;
    case "double":
      return String(random(100) / 8);
    case "string":
    case "uuid":
      return JSON.stringify("x".repeat(random(4)));
    case "binary":
      return `Buffer.from([${random(256)}])`;
    case "enum":
      return String([...(type.enum as Enum).values.values()][0]);
    case "list":
      return `[${several(() => literalOf(type.element, random, depth + 1))}]`;
    case "set":
      return `new Set([${several(() => literalOf(type.element, random, depth + 1))}])`;
    case "map":
      return `new Map([${several(() => `[${literalOf(type.key, random, depth + 1)}, ${literalOf(type.value, random, depth + 1)}]`)}])`;
    case "struct":
      return structLiteral(type.struct, random, depth);
    default:
      return type satisfies never;
  }
}

/** An object for a struct, union or the fields of an exception; what may be absent sometimes is. */
export function structLiteral({ kind, fields }: Struct, random: Random, depth = 0): string {
  const chosen = fields[random(Math.max(fields.length, 1))];
  const mayBeAbsent = ({ requiredness, defaultValue }: Field): boolean =>
    requiredness === "optional" || (requiredness === "default" && defaultValue === undefined);
  const isThere = (field: Field): boolean => (kind === "union" ? field === chosen : !mayBeAbsent(field) || (depth < 3 && random(2) === 0));
  const members = fields.flatMap((field) => {
    const key = JSON.stringify(field.name);
    if (isThere(field)) return [`${key}: ${literalOf(field.type, random, depth + 1)}`];
    // To TypeScript, every object has these.
    return kind !== "union" && field.name in {} ? [`${key}: undefined`] : [];
  });
  return `{ ${members.join(", ")} }`;
}
