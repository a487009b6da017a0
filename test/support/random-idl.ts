import type { Enum, Field, Struct, Type } from "@tsserve/thrift";

/** Random IDLs and values of them, by a seed: for tests that compare one way of reading and writing with another. */
export type Random = (below: number) => number;

/** Mulberry32: small, and the same everywhere. */
export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const baseTypes = ["bool", "i8", "i16", "i32", "i64", "double", "string", "binary", "uuid"];

/** The text of a .thrift file with a service `Random` whose method `call` takes and gives a random struct. */
export function randomIdl(random: Random): string {
  const type = (depth: number, structs: number): string => {
    const kind = random(depth > 2 ? 10 : 16);
    if (kind < 9) return baseTypes[kind] as string;
    if (kind === 9) return "Colour";
    if (kind === 10 || kind === 11) return `list<${type(depth + 1, structs)}>`;
    if (kind === 12) return `set<${baseTypes[random(7)]}>`;
    if (kind === 13) return `map<${["string", "i32", "i64", "bool", "i8"][random(5)]}, ${type(depth + 1, structs)}>`;
    return structs === 0 ? "string" : `S${random(structs)}`;
  };
  const fields = (structs: number): string => {
    let id = random(3) === 0 ? -2 : 1;
    return Array.from({ length: 1 + random(9) }, (_, index) => {
      const text = `${id}: ${["", "optional ", "required "][random(3)]}${type(0, structs)} ${index === 3 ? "__proto__" : `f${index}`},`;
      id += random(5) === 0 ? 20 : 1 + random(2);
      if (id === 0) id = 1;
      return text;
    }).join(" ");
  };
  const structs = Array.from({ length: 3 }, (_, index) => `struct S${index} { ${fields(index)} }`);
  return `enum Colour { RED = 1, GREEN = 2, BLUE = -7 }
${structs.join("\n")}
union U { 1: string a, 2: S2 b, 3: list<i32> c }
struct Tree { 1: i32 value, 2: list<Tree> children, 3: U union, 4: string unit = "m", 5: optional Tree other }
exception Oops { 1: string message, 2: i32 code, 3: map<string, S0> details }
service Random { S2 call(1: S2 value, 2: Tree tree, -1: bool flag) throws (1: Oops oops), void nothing(), U either(7: U u), oneway void shout(1: string text) }`;
}

const texts = [
  "",
  "a",
  "ascii text",
  "longer than twenty-four characters of ascii",
  "é",
  "日本語 and more",
  "😀".repeat(9),
  "\u0000",
  "x".repeat(300),
];
const integers: Readonly<Record<string, readonly number[]>> = {
  i8: [0, 1, -1, 127, -128],
  i16: [0, 1, -1, 255, 32_767, -32_768],
  i32: [0, 1, -1, 63, 64, -65, 8191, 2 ** 31 - 1, -(2 ** 31)],
};
const longs = [
  0n,
  1n,
  -1n,
  127n,
  -129n,
  2n ** 31n,
  2n ** 53n + 1n,
  -(2n ** 53n) - 1n,
  2n ** 63n - 1n,
  -(2n ** 63n),
  0x1234_5678_9abc_def0n,
];
const doubles = [0, 1.5, -2.25, 1e300, Number.POSITIVE_INFINITY, Number.MIN_VALUE, 0.1];

/** A value of a type; optional fields are there or not. */
export function randomValue(type: Type, random: Random, depth = 0): unknown {
  const pick = <T>(values: readonly T[]): T => values[random(values.length)] as T;
  const size = random(depth > 1 ? 3 : 18);
  switch (type.kind) {
    case "bool":
      return random(2) === 0;
    case "i8":
    case "i16":
    case "i32":
      return pick(integers[type.kind] as readonly number[]);
    case "i64":
      return pick(longs);
    case "double":
      return pick(doubles);
    case "string":
      return pick(texts);
    case "binary":
      return Buffer.from(Array.from({ length: random(40) }, () => random(256)));
    case "uuid":
      return `${random(2 ** 31)
        .toString(16)
        .padStart(8, "0")}-0000-4000-8000-00000000ffff`;
    case "enum":
      return pick([...(type.enum as Enum).values.values()]);
    case "list":
      return Array.from({ length: size }, () => randomValue(type.element, random, depth + 1));
    case "set":
      return new Set(Array.from({ length: size }, () => randomValue(type.element, random, depth + 1)));
    case "map":
      return new Map(
        Array.from({ length: size }, () => [randomValue(type.key, random, depth + 1), randomValue(type.value, random, depth + 1)]),
      );
    case "struct":
      return randomStruct(type.struct, random, depth);
    default:
      return type satisfies never;
  }
}

function randomStruct({ kind, fields }: Struct, random: Random, depth: number): unknown {
  const chosen = kind === "union" ? fields[random(fields.length)] : undefined;
  const isThere = (field: Field): boolean => {
    if (kind === "union") return field === chosen;
    if (field.requiredness === "required") return true;
    return depth < 4 && random(4) > 0;
  };
  const values = fields.map((field) => [field.name, isThere(field) ? randomValue(field.type, random, depth + 1) : undefined] as const);
  return Object.fromEntries(values);
}
