import { expect, test } from "vitest";
import { loadIdl } from "./load-idl.ts";
import { nearestFirst, visibleNames } from "./visible-names.ts";

/** The constants of `main.thrift` and its includes; each has the name of its file as its value. */
function visible(files: Readonly<Record<string, string>>): { readonly names: Record<string, string>; readonly order: readonly string[] } {
  const read = (file: string): string | undefined =>
    files[file]?.replaceAll(/const (\w+)/g, (_, name) => `const string ${name} = '${file}'`).replaceAll(/include (\S+)/g, 'include "$1"');
  const idl = loadIdl("main.thrift", { locate: (path) => path, read });
  const names = [...visibleNames(idl, ({ constants }) => constants)].map(([name, { value }]) => [
    name,
    value.kind === "string" ? value.value : "",
  ]);
  return { names: Object.fromEntries(names) as Record<string, string>, order: nearestFirst(idl).map(({ file }) => file) };
}

test("a file's own names first, then those of what it includes, nearest first", () => {
  const { names, order } = visible({
    "main.thrift": "include a.thrift include b.thrift const OWN const BOTH",
    "a.thrift": "include deep.thrift const BOTH const A const TWICE",
    "b.thrift": "include deep.thrift const B const TWICE const DEEP",
    "deep.thrift": "const DEEP const DEEPER",
  });
  expect(names).toEqual({
    OWN: "main.thrift",
    BOTH: "main.thrift",
    "a.BOTH": "a.thrift",
    "a.A": "a.thrift",
    "a.TWICE": "a.thrift",
    "b.B": "b.thrift",
    "b.TWICE": "b.thrift",
    "b.DEEP": "b.thrift",
    A: "a.thrift",
    B: "b.thrift",
    TWICE: "a.thrift",
    DEEP: "b.thrift",
    DEEPER: "deep.thrift",
  });
  expect(order).toEqual(["a.thrift", "b.thrift", "deep.thrift"]);
});

test("of two files with one prefix, the last one has it; a file that is reached twice is there once", () => {
  const { names, order } = visible({
    "main.thrift": "include x/s.thrift include y/s.thrift",
    "x/s.thrift": "include end.thrift const ONE const TWO",
    "y/s.thrift": "include end.thrift const TWO const THREE",
    "end.thrift": "const END",
  });
  expect(names).toMatchObject({
    "s.ONE": "x/s.thrift",
    "s.TWO": "y/s.thrift",
    "s.THREE": "y/s.thrift",
    TWO: "x/s.thrift",
    END: "end.thrift",
  });
  expect(order).toEqual(["x/s.thrift", "y/s.thrift", "end.thrift"]);
});
