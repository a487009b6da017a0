import { posix } from "node:path";
import { describe, expect, test } from "vitest";
import { loadIdl } from "./load-idl.ts";
import type { Constant, Idl } from "./model.ts";
import { warningsOf } from "./visible-names.ts";

/** Loads `main.thrift` of a few files that are here only. */
function load(files: Readonly<Record<string, string>> | string): Idl {
  const all: Readonly<Record<string, string>> = typeof files === "string" ? { "main.thrift": files } : files;
  return loadIdl("main.thrift", {
    locate: (path, from) => posix.join(from === undefined ? "" : posix.dirname(from), path),
    read: (file) => (Object.hasOwn(all, file) ? all[file] : undefined),
  });
}

describe("what the IDL has", () => {
  test("base types, containers, requiredness, ids with and without", () => {
    const { structs } = load(`
      struct All {
        1: bool a; 2: byte b, 3: i8 c
        4: required i16 d; 5: optional i32 e
        -6: i64 f; 7: double g; 8: string h; 9: binary i; 10: uuid j
        11: list<string> k; 12: set<i32> l; 13: map<string, list<map<i32, All>>> m
        i32 without; i32 alsoWithout
      }`);
    const fields = structs.get("All")?.fields ?? [];
    expect(fields.map(({ id, type: { kind } }) => `${id} ${kind}`)).toEqual([
      "1 bool",
      "2 i8",
      "3 i8",
      "4 i16",
      "5 i32",
      "-6 i64",
      "7 double",
      "8 string",
      "9 binary",
      "10 uuid",
      "11 list",
      "12 set",
      "13 map",
      "-1 i32",
      "-2 i32",
    ]);
    expect(fields.slice(2, 5).map(({ requiredness }) => requiredness)).toEqual(["default", "required", "optional"]);
    const map = fields[12]?.type;
    const inner =
      map?.kind === "map" && map.value.kind === "list" && map.value.element.kind === "map" ? map.value.element.value : undefined;
    expect(inner?.kind === "struct" && inner.struct).toBe(structs.get("All"));
  });

  test("enums count on; typedefs vanish, in any order", () => {
    const { enums, typedefs, structs } = load(
      "typedef Ids Many\ntypedef list<Id> Ids\ntypedef i64 Id\nenum E { A, B = 0x10, C; D = -1 E }\nstruct S { 1: Many many, 2: E e }",
    );
    expect([...(enums.get("E")?.values ?? [])]).toEqual([
      ["A", 0],
      ["B", 16],
      ["C", 17],
      ["D", -1],
      ["E", 0],
    ]);
    expect(typedefs.get("Many")).toEqual({ kind: "list", element: { kind: "i64" } });
    expect(structs.get("S")?.fields[0]?.type).toEqual({ kind: "list", element: { kind: "i64" } });
  });

  test("unions are optional throughout; exceptions may be thrown", () => {
    const { structs, services } = load(
      'union U { 1: i32 a; 2: required string b }\nexception X { 1: string message }\nservice S { i32 f(1: i32 a, 2: string b = "x") throws (1: X x), oneway void g() }',
    );
    expect(structs.get("U")?.fields.every(({ requiredness }) => requiredness === "optional")).toBe(true);
    const method = services.get("S")?.methods.get("f");
    expect([method?.result, method?.throws[0]?.type, method?.args.fields[1]?.defaultValue]).toEqual([
      { kind: "i32" },
      { kind: "struct", struct: structs.get("X") },
      { kind: "string", value: "x" },
    ]);
    expect(services.get("S")?.methods.get("g")).toMatchObject({ oneway: true, result: undefined });
  });

  test("constants and defaults of every type, also of structs that come later", () => {
    const { constants, structs } = load(`
      struct First { 1: Later later = {"n": 7, "e": "x"}, 2: E e = E.B, 3: E f = A, 4: Small s = LIMIT }
      struct Later { 1: i32 n, 2: string e }
      typedef i16 Small
      enum E { A = 1, B = 2 }
      const i16 LIMIT = 300
      const i64 BIG = -9223372036854775808
      const double D = 3
      const bool T = true; const bool F = 0
      const map<string, list<E>> M = {"a": [E.A, B], 'b': []}
      const set<double> N = [1.5, .5, 2e3, -1.]
      const Later L = {"n": BIGGER}
      const i32 BIGGER = 0xFF
      const string TEXT = 'it\\'s "fine"\\n'
      const uuid U = "00112233-4455-6677-8899-aabbccddeeff"`);
    const value = (name: string): unknown => constants.get(name)?.value;
    expect(structs.get("First")?.fields.map(({ defaultValue }) => defaultValue)).toEqual([
      {
        kind: "struct",
        struct: structs.get("Later"),
        fields: new Map<string, unknown>([
          ["n", { kind: "number", value: 7 }],
          ["e", { kind: "string", value: "x" }],
        ]),
      },
      { kind: "number", value: 2 },
      { kind: "number", value: 1 },
      { kind: "number", value: 300 },
    ]);
    expect(value("BIG")).toEqual({ kind: "i64", value: -(2n ** 63n) });
    expect([value("D"), value("T"), value("F")]).toEqual([
      { kind: "number", value: 3 },
      { kind: "bool", value: true },
      { kind: "bool", value: false },
    ]);
    expect(value("M")).toMatchObject({
      entries: [
        [{ value: "a" }, { items: [{ value: 1 }, { value: 2 }] }],
        [{ value: "b" }, { items: [] }],
      ],
    });
    expect(value("N")).toMatchObject({ items: [1.5, 0.5, 2000, -1].map((each) => ({ value: each })) });
    expect(value("L")).toMatchObject({ fields: new Map([["n", { kind: "number", value: 255 }]]) });
    expect(value("TEXT")).toEqual({ kind: "string", value: 'it\'s "fine"\n' });
  });

  test("includes, of types, constants and services; each file once", () => {
    const idl = load({
      "main.thrift":
        'include "a/shared.thrift"\ninclude "b.thrift"\nservice S extends shared.Base { b.B f(1: shared.Id id = shared.ONE, 2: shared.E e = shared.E.X) }',
      "a/shared.thrift": 'include "../b.thrift"\ntypedef i64 Id\nconst Id ONE = 1\nenum E { X = 4 }\nservice Base { b.B ping() }',
      "b.thrift": "struct B {}",
    });
    const methods = idl.services.get("S")?.methods;
    expect([...(methods?.keys() ?? [])]).toEqual(["ping", "f"]);
    expect(methods?.get("ping")?.result).toEqual(methods?.get("f")?.result);
    expect(methods?.get("f")?.args.fields.map(({ defaultValue }) => defaultValue)).toEqual([
      { kind: "i64", value: 1n },
      { kind: "number", value: 4 },
    ]);
  });

  test("comments, docs, namespaces, annotations and what other generators want", () => {
    const idl = load(`/* no doc */ # hash
      namespace py.twisted my.service
      namespace * all
      cpp_include "x.h"
      /** The doc
        * of it. */
      struct S { // line
        /** A field. */ 1: i32 (a.b = "c") n = 1 (min = "0", flag),
      } (final)
      service T { void f() (deprecated = "yes"); }`);
    expect(Object.fromEntries(idl.namespaces)).toEqual({ "py.twisted": "my.service", "*": "all" });
    expect([idl.structs.get("S")?.doc, idl.structs.get("S")?.fields[0]?.doc]).toEqual(["The doc\nof it.", "A field."]);
  });
});

/** The value of a constant, or of a default. */
function plain(constant: Constant | undefined): unknown {
  if (constant === undefined) return undefined;
  if (constant.kind === "list") return constant.items.map(plain);
  if (constant.kind === "map") return new Map(constant.entries.map(([key, value]) => [plain(key), plain(value)]));
  return constant.kind === "struct" ? new Map([...constant.fields].map(([name, value]) => [name, plain(value)])) : constant.value;
}

describe("what Apache's compiler takes", () => {
  const constantOf = (files: Readonly<Record<string, string>> | string): unknown => plain(load(files).constants.get("C")?.value);

  test.each([
    ["const set<i32> C = {}", []],
    ["const list<i32> C = {}", []],
    ["const map<i32, i32> C = []", new Map()],
    ['const map<string, list<i32>> C = { "a": {}, "b": [1 2, 3; 4] }', new Map([["a", []], ["b", [1, 2, 3, 4]]])], // prettier-ignore
    ["struct P { 1: i32 a }\nconst list<P> C = [{}]", [new Map()]],
    ["const bool C = 5", true],
    ["const bool C = -1", false],
    ["const i32 C = true", 1],
    ["const bool B = 1 const i8 C = B", 1],
    ["const i32 B = 2; const bool C = B", true],
    ["const i64 B = 3 const double C = B", 3],
    ["enum E { A, B } const i32 C = E.B", 1],
    ["enum E { A, B } const E C = nowhere.B", 1],
    ["enum E { A, B } const list<E> C = [E.B, A]", [1, 0]],
    ["struct S { 1: i32 a } const S C = { 'a': 0x10 } (x = \"y\")", new Map([["a", 16]])], // prettier-ignore
    ["struct C {} const i32 C = 7", 7],
  ])("%s", (text, value) => expect(constantOf(text.replace(' (x = "y")', ""))).toEqual(value));

  test.each([
    'struct S xsd_all { 1: i32 a xsd_optional xsd_nillable xsd_attrs { 1: i32 b } (x = "y"), }',
    'struct S { 1: list<i32> cpp_type "x" a; 2: map cpp_type "y" <i32, i32> b; 3: set cpp_type "q" <i32> c }',
    "struct S { 1: S & a, 2: i32& b }",
    "struct S { i32 a i32 b; S c }",
    "struct S { 1: i32 required; 2: required i32 struct, 3: string service }",
    'enum E { A = -1 (x = "y"); B, C = 0x10 D } (a.b = "c")',
    'senum Text { "a", "b" } struct S { 1: Text a, 2: slist b }',
    "php_namespace a py_module b.c namespace * d cpp_include '<vector>'",
    "service S { async void a(), oneway void b() throws () } (x)",
    "typedef Late L struct S { 1: L l = {} } struct Late { 1: i32 a }",
    'exception E {} typedef E F service S { void a() throws (1: F f) (x = "y") }',
    "/**/ /** doc */ # hash\n// line\nstruct S {}",
  ])("%s", (text) => expect(() => load(text)).not.toThrow());

  test("two includes of one base name, and files whose names have dots", () => {
    const files = {
      "a/shared.thrift": "enum Colour { RED = 1 } struct A {} const i32 N = 1 struct Both { 1: i32 first }",
      "b/shared.thrift": "enum Tone { LOW = 2 } struct B {} const i32 M = 2 struct Both { 1: i32 last } service Base { void base() }",
      "my.shared.v1.thrift": "enum Size { SMALL = 3 } struct V {} const i32 O = 3",
      "plain.idl": "struct P {}",
      "main.thrift": `include "a/shared.thrift" include "b/shared.thrift" include "my.shared.v1.thrift" include "plain.idl"
struct shared { 1: shared.A a, 2: shared.B b, 3: shared.Both both, 4: my.shared.v1.V v, 5: plain.P p }
const list<i32> C = [shared.N, shared.M, my.shared.v1.O, shared.Colour.RED, my.shared.v1.Size.SMALL]
const shared.Colour RED = shared.RED
const my.shared.v1.Size SMALL = my.shared.v1.SMALL
service S extends shared.Base {}`,
    };
    const { structs, constants, services } = load(files);
    expect(plain(constants.get("C")?.value)).toEqual([1, 2, 3, 1, 3]);
    expect([plain(constants.get("RED")?.value), plain(constants.get("SMALL")?.value)]).toEqual([1, 3]);
    const both = structs.get("shared")?.fields[2]?.type;
    expect(both?.kind === "struct" && both.struct.fields[0]?.name).toBe("last");
    expect([...(services.get("S")?.methods.keys() ?? [])]).toEqual(["base"]);
  });

  test("arguments are not optional, whatever is written", () => {
    const { services } = load("service S { void a(1: optional i32 x = 5, 2: required i32 y) }");
    expect(
      services
        .get("S")
        ?.methods.get("a")
        ?.args.fields.map(({ requiredness }) => requiredness),
    ).toEqual(["default", "required"]);
  });
});

test("includes are looked for in further folders, in their order; a file is loaded once, whatever it is called", () => {
  const files: Readonly<Record<string, string>> = {
    "main.thrift": 'include "x.thrift" include "deep/y.thrift" include "link.thrift" struct S { 1: x.X x, 2: link.X same }',
    "one/x.thrift": "struct X {}",
    "two/x.thrift": "struct Never {}",
    "two/deep/y.thrift": "struct Y {}",
    "two/link.thrift": "struct X {}",
  };
  const read: string[] = [];
  const { structs } = loadIdl("main.thrift", {
    locate: (path, from) => (from === undefined ? path : [posix.join(posix.dirname(from), path), `one/${path}`, `two/${path}`]),
    read: (file) => (read.push(file), files[file]),
    identify: (file) => (file === "two/link.thrift" ? "one/x.thrift" : file),
  });
  expect(read).toEqual(["main.thrift", "x.thrift", "one/x.thrift", "deep/y.thrift", "one/deep/y.thrift", "two/deep/y.thrift", "link.thrift", "one/link.thrift"]); // prettier-ignore
  const [first, second] = structs.get("S")?.fields ?? [];
  expect(first?.type).toEqual(second?.type);
});

describe("what Apache's compiler takes with a warning, or without a word, is taken with a warning", () => {
  const warned = (files: Readonly<Record<string, string>> | string): string[] => warningsOf(load(files)).map(({ message }) => message);

  test.each<[string, bigint | number, string]>([
    ["const i8 A = 128", -128, "14: 128 does not fit into a value of type i8: it is -128 on the wire"],
    ["const i8 A = 0xFF", -1, "14: 255 does not fit into a value of type i8: it is -1 on the wire"],
    ["const i16 A = -70000", -4464, "15: -70000 does not fit into a value of type i16: it is -4464 on the wire"],
    ["const i32 A = 4294967297", 1, "15: 4294967297 does not fit into a value of type i32: it is 1 on the wire"],
    ["const i16 A = B const i32 B = 65535", -1, "15: 65535 does not fit into a value of type i16: it is -1 on the wire"],
  ])("an integer that is too big for its type: %s", (text, value, warning) => {
    expect(load(text).constants.get("A")?.value).toEqual({ kind: "number", value });
    expect(warned(text)).toEqual([`main.thrift:1:${warning}`]);
  });

  test("a default that is too big; a field id that is too big", () => {
    const text = "struct S { 1: i8 a = 200, 40000: i32 b }";
    const fields = load(text).structs.get("S")?.fields ?? [];
    expect(fields.map(({ id, defaultValue }) => [id, defaultValue])).toEqual([
      [1, { kind: "number", value: -56 }],
      [-25_536, undefined],
    ]);
    expect(warned(text).toSorted()).toEqual([
      "main.thrift:1:22: 200 does not fit into a value of type i8: it is -56 on the wire",
      "main.thrift:1:27: a field id is one of -32768 to 32767, found 40000: it is -25536 on the wire",
    ]);
  });

  test("a file that is not there, whose names nobody uses: by whichever it is included, and in a circle that it cuts", () => {
    const files = {
      "main.thrift": 'include "lib/a.thrift" include "gone.thrift" struct S { 1: a.A a }',
      "lib/a.thrift": 'include "main.thrift" struct A {}',
    };
    expect([...load(files).structs.keys()]).toEqual(["S"]);
    expect(warned(files)).toEqual([
      'main.thrift:1:24: "gone.thrift" is not found (looked for gone.thrift)',
      'lib/a.thrift:1:1: "main.thrift" is not found (looked for lib/main.thrift)',
    ]);
  });

  test("a typedef of what is no type, which nobody uses; who does is told, in another file as well", () => {
    const files = {
      "main.thrift": 'include "a.thrift" struct S { 1: a.Fine fine }',
      "a.thrift": "const i32 SIZE = 1 typedef SIZE X typedef i32 Fine",
    };
    expect(warned(files)).toEqual(['a.thrift:1:28: the type "SIZE" is not known']);
    expect(() => load({ ...files, "main.thrift": 'include "a.thrift" struct S { 1: a.X x }' })).toThrow(
      'a.thrift:1:28: the type "SIZE" is not known',
    );
  });
});

describe("errors name file, line and column", () => {
  test.each([
    ["struct S {\n  1: strnig a\n}", 'main.thrift:2:6: the type "strnig" is not known'],
    ["struct Name {}\nstruct S { 1: Nmae a }", 'main.thrift:2:15: the type "Nmae" is not known, did you mean "Name"?'],
    [
      "strct S {}",
      'main.thrift:1:1: expected one of include, cpp_include, namespace, const, typedef, enum, struct, union, exception, service, found "strct", did you mean "struct"?',
    ],
    ["struct S { 1: i32 a, 1: i32 b }", 'main.thrift:1:22: the id 1 of "b" is already that of "a"'],
    ["struct S { 1: i32 a, 2: i32 a }", 'main.thrift:1:22: there are two fields "a"'],
    ["struct S {}\nenum S {}", 'main.thrift:2:1: "S" is already defined in line 1'],
    ["struct S { 2147483648: i32 a }", "main.thrift:1:12: expected a field id of -2147483648 to 2147483647, found 2147483648"],
    ["struct S { 1: i32 a, 65537: i32 b }", 'main.thrift:1:22: the id 1 of "b" is already that of "a"'],
    ["struct S {", "main.thrift:1:11: expected a type, found the end of the file"],
    ["/* open", "main.thrift:1:1: this comment is never closed"],
    ['const string S = "open', "main.thrift:1:18: this text is never closed"],
    ["const i64 A = 9223372036854775808", "main.thrift:1:15: 9223372036854775808 does not fit into a value of type i64"],
    ["enum E { A = 1 }\nconst E B = 4294967297", "main.thrift:2:13: 4294967297 does not fit into a value of E"],
    ['const i32 A = "1"', 'main.thrift:1:15: expected a value of type i32, found "1"'],
    ["const i32 A = B", 'main.thrift:1:15: the constant "B" is not known'],
    ["const i32 A = B\nconst i32 B = A", 'main.thrift:1:1: "A" refers to itself'],
    ["typedef A B\ntypedef B A", 'main.thrift:2:9: "B" refers to itself'],
    ["service S extends S {}", 'main.thrift:1:1: "S" refers to itself'],
    ["service S extends T {}", 'main.thrift:1:1: the service "T" is not known'],
    ["service S { void f(); i32 f() }", 'main.thrift:1:23: the service S has two methods "f"'],
    ["service S { oneway i32 f() }", "main.thrift:1:13: the oneway method f must be void: nobody waits for its answer"],
    ["struct X {}\nservice S { void f() throws (1: X x) }", 'main.thrift:2:30: f may throw exceptions only, and "x" is none'],
    ["struct S { 1: void a }", "main.thrift:1:15: only a method's result may be void"],
    ["struct S { 1: list<i32 a }", 'main.thrift:1:24: expected ">", found "a"'],
    ["enum E { A, A }", 'main.thrift:1:13: the enum E has two "A"'],
    ["struct S { 1: i32 a ? }", 'main.thrift:1:21: unexpected character "?"'],
    [`struct S { 1: ${"list<".repeat(10_000)}i32 a }`, expect.stringMatching(/types nest deeper than 64$/)],
    ...[
      ["struct S { 1: none.T a }", 'type "none.T"'],
      ["struct S { 1: list<map<i32, none.T>> a }", 'type "none.T"'],
      ["typedef none.T X struct S { 1: X a }", 'type "none.T"'],
      ["typedef none.T X typedef X Y struct S { 1: optional Y a }", 'type "none.T"'],
      ["service S { none.T f() }", 'type "none.T"'],
      ["service S { void f(1: none.T a) }", 'type "none.T"'],
      ["service S { void f() throws (1: none.T a) }", 'type "none.T"'],
      ["service S extends none.T {}", 'service "none.T"'],
      ["const i32 A = none.T", 'constant "none.T"'],
      ["struct S { 1: i32 a = none.T.X }", 'constant "none.T.X"'],
    ].map(([text, what]): [string, string] => [
      `include "none.thrift"\n${text}`,
      `main.thrift:1:1: "none.thrift" is not found (looked for none.thrift), and line 2 uses the ${what} of it`,
    ]),
    ['include "main.thrift"', 'main.thrift:1:1: "main.thrift" includes itself, by way of main.thrift → main.thrift'],
  ])("%j", (text, message) => {
    let said = "";
    try {
      load(text);
    } catch (error) {
      said = (error as Error).message;
    }
    expect(said).toEqual(message);
  });

  test("what can't be read is told where it is included", () => {
    const failing = { locate: (path: string) => path, read: (): string => 'include "a\u0000b"' };
    const loading =
      (read: (file: string) => string | undefined): (() => Idl) =>
      () =>
        loadIdl("main.thrift", { ...failing, read });
    const only = (file: string): string => {
      if (file === "main.thrift") return 'struct S {}\n include "a\u0000b"';
      throw new TypeError("must be a string without null bytes. Received 'a\u0000b'");
    };
    expect(loading(only)).toThrow(
      "main.thrift:2:2: \"a\\u0000b\" can't be read: must be a string without null bytes. Received 'a\\u0000b'",
    );
    expect(loading(() => { throw new Error("EISDIR"); })).toThrow("main.thrift:1:1: the file can't be read: EISDIR"); // prettier-ignore
    expect(loading((file) => `include "${file}x"`)).toThrow(/files include files deeper than 100$/);
    const { locate } = failing;
    expect(() => loadIdl("a", { locate, read: (file) => `include "${file === "a" ? "b" : "a"}"` })).toThrow(
      'b:1:1: "a" includes itself, by way of a → b → a',
    );
  });

  test("a file that is not there", () => {
    expect(() => load({})).toThrow("main.thrift:1:1: there is no such file");
  });
});

test("names that are properties of every object are names like others", () => {
  const { structs, services } = load("struct constructor { 1: i32 __proto__ }\nservice hasOwnProperty { constructor toString() }");
  expect(structs.get("constructor")?.fields[0]?.name).toBe("__proto__");
  expect([...(services.get("hasOwnProperty")?.methods.keys() ?? [])]).toEqual(["toString"]);
});

test("no text makes it hang or fail in any other way", () => {
  const pieces = [
    "struct",
    "S",
    "{",
    "}",
    "1",
    ":",
    "i32",
    "a",
    ",",
    "=",
    '"x"',
    "list",
    "<",
    ">",
    "service",
    "(",
    ")",
    "throws",
    "enum",
    "const",
    "/*",
    "//",
    "\n",
    "-1",
    "1.5",
    "[",
    "]",
    "map",
    "extends",
    ".",
  ];
  // A small generator of numbers, seeded: the same texts each time.
  let seed = 42;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return seed % below;
  };
  for (let round = 0; round < 3000; round++) {
    const text = Array.from({ length: random(30) }, () => pieces[random(pieces.length)]).join(random(2) === 0 ? " " : "");
    try {
      load(text);
    } catch (error) {
      expect((error as Error).name).toBe("IdlError");
    }
  }
});

test("the error's place is a value too", () => {
  const failed = (): Idl => load("nonsense");
  expect(failed).toThrow(expect.objectContaining({ name: "IdlError", place: { file: "main.thrift", line: 1, column: 1 } }));
});
