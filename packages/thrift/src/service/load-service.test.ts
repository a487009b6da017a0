import { mkdirSync, rmSync, symlinkSync, writeFileSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { inheritedNames } from "../codec/fields.ts";
import { interpretCodecs } from "../codec/interpret.ts";
import { exceptionClassOf } from "../codec/exception-classes.ts";
import { BinaryReader } from "../protocol/binary-reader.ts";
import { BinaryWriter } from "../protocol/binary-writer.ts";
import { defaultLimits } from "../wire/limits.ts";
import { loadService } from "./load-service.ts";

const root = mkdtempSync(join(tmpdir(), "tsserve-load-service-"));
afterAll(() => rmSync(root, { recursive: true }));

let count = 0;
/** A folder with files. */
function folderOf(files: Readonly<Record<string, string>>): string {
  const folder = join(root, String(count++));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

const shared = `enum Colour { RED = 1 } const i32 MOST = 5 exception Gone { 1: string what } exception Late { 1: i32 ms = 5 }
service Base { void base() throws (1: Gone gone) }`;

test("a file's own names win over those of what it includes, which have their prefix; enums and constants of includes have values", () => {
  const folder = folderOf({
    "deep.thrift": "enum Depth { DEEP = 9 } const string DEPTH = 'deep' exception Gone { 1: i32 depth }",
    "shared.thrift": `include "deep.thrift"\n${shared}`,
    "main.thrift":
      'include "shared.thrift" exception Late { 1: string reason } enum Own { A } const i32 MOST = 7 service S extends shared.Base {}',
  });
  const { exceptions, enums, constants } = loadService(join(folder, "main.thrift"), "S");
  expect(Object.keys(exceptions).sort()).toEqual(["Gone", "Late", "shared.Gone", "shared.Late"]);
  expect(new (exceptions["Late"] as new (fields: object) => Error)({ reason: "r" })).toMatchObject({ reason: "r" });
  expect(new (exceptions["shared.Late"] as new () => Error)()).toMatchObject({ ms: 5 });
  expect(exceptions["Gone"]).toBe(exceptions["shared.Gone"]);
  expect([enums["Own"], enums["Colour"], enums["shared.Colour"], enums["Depth"]]).toEqual([{ A: 0 }, { RED: 1 }, { RED: 1 }, { DEEP: 9 }]);
  expect([constants["MOST"], constants["shared.MOST"], constants["DEPTH"]]).toEqual([7, 5, "deep"]);
  for (const name of inheritedNames)
    expect([exceptions[name], enums[name], constants[name], enums["Own"]?.[name]]).toEqual(Array(4).fill(undefined));
});

test("exceptions have one identity for a definition, until their file changes", () => {
  const folder = folderOf({ "shared.thrift": shared, "main.thrift": 'include "shared.thrift" service S extends shared.Base {}' });
  symlinkSync("shared.thrift", join(folder, "link.thrift"));
  const classOf = (file: string, service: string, i64?: "number"): new (fields?: object) => Error =>
    loadService(join(folder, file), service, i64 && { i64 }).exceptions["Late"] as never;
  const first = classOf("shared.thrift", "Base");
  expect(classOf("shared.thrift", "Base")).toBe(first);
  expect(classOf("main.thrift", "S")).toBe(first);
  expect(classOf("link.thrift", "Base", "number")).toBe(first);
  writeFileSync(join(folder, "shared.thrift"), shared.replace("i32 ms = 5", "i32 ms = 5, 2: string why"));
  const second = classOf("shared.thrift", "Base");
  expect(second).not.toBe(first);
  expect([new first() instanceof second, new second() instanceof first]).toEqual([true, true]);
  class Own extends first {}
  expect([new Own() instanceof second, new first() instanceof Own, new Own() instanceof Own]).toEqual([true, false, true]);
  for (const other of [undefined, null, 1, "Late", new Error("Late"), { name: "Late" }]) expect(other instanceof first).toBe(false);
});

test("includes: folders in which what is included is looked for", () => {
  const folder = folderOf({ "lib/shared.thrift": shared, "app/main.thrift": 'include "shared.thrift" service S extends shared.Base {}' });
  const main = join(folder, "app/main.thrift");
  expect(() => loadService(main, "S")).toThrow(`${main}:1:1: "shared.thrift" is not found (looked for ${folder}/app/shared.thrift)`);
  expect(() => loadService(main, "S", { includes: [`${folder}/none`] })).toThrow(
    `(looked for ${folder}/app/shared.thrift, ${folder}/none/shared.thrift)`,
  );
  expect(loadService(main, "S", { includes: [`${folder}/none`, `${folder}/lib`] }).enums["Colour"]).toEqual({ RED: 1 });
  expect(loadService(main, "S", { includes: [new URL(`file://${folder}/lib/`)] }).enums["Colour"]).toEqual({ RED: 1 });
  for (const wrong of ["", "/", ".", "a\u0000b", "x".repeat(5000)]) {
    writeFileSync(main, `include "${wrong}"\nservice S {}`);
    expect(() => loadService(main, "S"), JSON.stringify(wrong.slice(0, 9))).toThrow(
      /app\/main\.thrift:1:1: ".*" (can't be read|is not found)/,
    );
  }
});

test.each([true, false])(
  "fields, structs, methods, enums and exceptions of names that every object has (compiled: %s)",
  (compiled) => {
    const names = [...inheritedNames, "then", "prototype", "length", "name", "message", "stack"];
    const fields = names.map((name, index) => `${index + 1}: optional string ${name}`).join(", ");
    const folder = folderOf({
      "main.thrift": `struct Fields { ${fields} } union Union { ${fields} } exception Failed { ${fields} }
${names.map((name) => `struct ${name} { 1: i32 ${name} = 4 }`).join("\n")}
enum Members { ${names.join(", ")} }
service S { Fields all(1: Fields given, 2: Union either) throws (1: Failed failed), ${names.map((name) => `${name} ${name}(1: ${name} ${name})`).join(", ")} }`,
    });
    const service = loadService(join(folder, "main.thrift"), "S");
    const codecs = compiled
      ? service.codecs.binary
      : interpretCodecs(service.definition, { i64: "bigint", exceptionClass: (struct) => exceptionClassOf(struct, "bigint") });
    const read = (method: string, values: readonly unknown[]): unknown[] => {
      const writer = new BinaryWriter();
      writer.reset(Buffer.alloc(100_000), 0);
      codecs.get(method)?.writeArguments(writer, values);
      const reader = new BinaryReader(defaultLimits);
      reader.reset(writer.bytes, 0, writer.position);
      let found: unknown[] = [];
      codecs.get(method)?.call(reader, (...all: unknown[]) => (found = all), undefined, undefined);
      return found;
    };
    const there = (object: unknown): object =>
      Object.fromEntries(Object.entries(object as object).filter(([, value]) => value !== undefined));
    for (const name of names) {
      const one = Object.fromEntries([[name, "x"]]);
      const [given, either] = read("all", [one, one]);
      expect([there(given), there(either)]).toEqual([one, one]);
      const [struct] = read(name, [{}]);
      expect(struct).toEqual(Object.fromEntries([[name, 4]]));
      expect(service.enums["Members"]?.[name]).toBe(names.indexOf(name));
      const Failed = service.exceptions["Failed"] as new (fields: object) => Error;
      expect(Object.getOwnPropertyDescriptor(new Failed(one), name)?.value).toBe("x");
      for (const absent of inheritedNames)
        if (absent !== name) expect(Object.getOwnPropertyDescriptor(new Failed(one), absent)?.value).toBe(undefined);
    }
    expect(() => read("all", [{}, {}])).toThrow("Union: expected a union with one field, found undefined");
    expect(there(read("all", [{}, { toString: "x" }])[0])).toEqual({});
  },
  20_000,
);
