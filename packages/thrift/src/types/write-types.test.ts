import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { literalOf, nastyIdl, structLiteral } from "../../../../test/support/nasty-idl.ts";
import { randomIdl, randomOf } from "../../../../test/support/random-idl.ts";
import { loadIdl } from "../idl/load-idl.ts";
import type { Idl } from "../idl/model.ts";
import { makeService } from "../service/load-service.ts";
import { ModuleNames } from "./module-names.ts";
import { writeTypes } from "./write-types.ts";

const workspace = fileURLToPath(new URL("../../../../", import.meta.url));

/** What `tsc --strict` says of the files, compiled in one run. */
function compile(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "tsserve-types-"));
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    symlinkSync(join(workspace, "node_modules"), join(folder, "node_modules"));
    const compilerOptions = {
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      isolatedModules: true,
      noEmit: true,
      module: "nodenext",
      target: "es2023",
      types: ["node"],
      skipLibCheck: true,
    };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.ts"] }));
    const { stdout, stderr } = spawnSync(process.execPath, [join(workspace, "node_modules/typescript/bin/tsc"), "-p", folder], {
      encoding: "utf8",
      cwd: folder,
    });
    return (stdout + stderr).trim();
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function load(files: Readonly<Record<string, string>>): Idl {
  return loadIdl("main.thrift", { locate: (path) => path, read: (file) => files[file] });
}

/** A module that uses the types of an IDL as what the IDL means: values fit, and what a loaded service has is what they say. */
function usesOf(idl: Idl, file: string, types: string, seed: number): string {
  const random = randomOf(seed);
  const names = new ModuleNames(idl);
  let count = 0;
  const fits = (type: string, value: string): string => `const v${count++}: ${type} = ${value};`;
  const service = makeService(idl, [...idl.services.values()][0] as never);
  const keys = (object: object): string => `{ ${Object.keys(object).map((key) => `${JSON.stringify(key)}: true`).join(", ")} }`; // prettier-ignore
  const values = (object: object): string =>
    `{ ${Object.entries(object).map(([key, value]) => `${JSON.stringify(key)}: ${typeof value === "object" ? values(value as object) : typeof value === "bigint" ? `${value}n` : JSON.stringify(value)}`).join(", ")} }`; // prettier-ignore
  // Of what is included, only what is reached is written.
  const written = new Set([...types.matchAll(/^export (?:type|interface) (\w+)/gm)].map(([, name]) => name));
  const structs = [idl, ...idl.includes.map((each) => each.idl)]
    .flatMap((each) => [...each.structs.values()])
    .filter((struct) => written.has(names.type(struct)));
  return [
    `import type * as M from "./${file}";`,
    ...structs
      .filter(({ kind, fields }) => kind !== "union" || fields.length > 0)
      .map((struct) =>
        fits(`M.${struct.kind === "exception" ? names.companion(struct) : names.type(struct)}`, structLiteral(struct, random)),
      ),
    ...structs
      .filter(({ kind }) => kind === "exception")
      .map((struct) => fits(`(exception: M.${names.type(struct)}) => M.${names.companion(struct)}`, "(exception) => exception")),
    fits(`Record<keyof M.${names.definitions}["exceptions"], true>`, keys(service.exceptions)),
    fits(`M.${names.definitions}["enums"]`, values(service.enums)),
    fits(`M.${names.definitions}["constants"]`, values(service.constants)),
    ...[...idl.services.values()].flatMap((each) => {
      const { handler, contextHandler, client } = names.service(each);
      return [...each.methods.values()].flatMap(({ name, args, result }) => {
        const method = (type: string): string => `NonNullable<M.${type}[${JSON.stringify(name)}]>`;
        const given = `[${args.fields.map(({ type }) => literalOf(type, random)).join(", ")}]`;
        return [
          fits(`Parameters<${method(handler)}>`, given),
          fits(`Parameters<${method(client)}>`, given),
          fits(`Parameters<${method(contextHandler)}>["length"]`, String(args.fields.length + 1)),
          fits(`Awaited<ReturnType<${method(client)}>>`, result === undefined ? "undefined" : literalOf(result, random)),
          fits(`Awaited<ReturnType<${method(handler)}>>`, result === undefined ? "undefined" : literalOf(result, random)),
        ];
      });
    }),
  ].join("\n");
}

test("whatever loads has types that compile under --strict, and mean what the IDL means", () => {
  const files: Record<string, string> = {};
  for (let seed = 1; seed <= 32; seed++) {
    const idl = load(seed % 4 === 0 ? { "main.thrift": randomIdl(randomOf(seed)) } : nastyIdl(randomOf(seed)));
    const types = writeTypes(idl);
    files[`types${seed}.ts`] = types;
    files[`uses${seed}.ts`] = usesOf(idl, `types${seed}.ts`, types, seed);
  }
  expect(compile(files)).toBe("");
}, 60_000);

test("what does not fit does not compile", () => {
  const idl = load({ "main.thrift": "struct Map { 1: required i32 a } enum E { A = 4 } service S { Map get(1: Map map) }" });
  const uses = (line: string): string => `import type * as M from "./types.ts";\nexport const x: ${line};`;
  const wrong = [
    'M.Map = { a: "1" }',
    "M.Map = {}",
    "M.E = 5",
    'Parameters<M.SClient["get"]> = []',
    'M.Definitions["enums"] = { E: { A: 5 } }',
  ];
  const said = compile({ "types.ts": writeTypes(idl), ...Object.fromEntries(wrong.map((line, index) => [`use${index}.ts`, uses(line)])) });
  expect(new Set(said.match(/^use\d+/gm))).toEqual(new Set(wrong.map((_, index) => `use${index}`)));
}, 60_000);

test("names stay as they are in the IDL, where they can", () => {
  const files = {
    "main.thrift": `include "shared.thrift"
exception Error { 1: optional i32 code, 2: optional string message }
struct Map { 1: map<string, list<i64>> map, 2: set<shared.Colour> colours } struct SHandler {} struct Definitions {}
enum Colour { A } service S { Map new(1: i32 default, 2: i32 context) throws (1: Error error) }`,
    "shared.thrift": "enum Colour { B = 2 }",
  };
  const text = writeTypes(load(files));
  for (const line of [
    'export type Error = Omit<globalThis.Error, "message"> & ErrorFields;',
    "  map?: globalThis.Map<string, bigint[]> | undefined;",
    "  colours?: Set<Colour2> | undefined;",
    "export interface SHandler {",
    "export interface SHandler2 {",
    '  "new"(context2: ThriftContext, default2: number, context: number): Map | Promise<Map>;',
    "export interface Definitions2 {",
    '    readonly "shared.Colour": Colour2Values;',
  ])
    expect(text.split("\n")).toContain(line);
});
