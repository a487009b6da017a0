import * as fs from "node:fs";
import { describe, expect, test } from "vitest";
import { reportWrites } from "./report-writes.ts";

/** Functions of the same names that do nothing: those of this process stay as they are. */
function fakeFs(): { fs: Parameters<typeof reportWrites>[0]; calls: string[] } {
  const calls: string[] = [];
  const fake = (names: readonly string[]): Record<string, unknown> =>
    Object.fromEntries(names.map((name) => [name, (...args: unknown[]) => calls.push(`${name} ${String(args[0])}`)]));
  const promises = fake(["writeFile", "open", "rename"]);
  return { fs: { ...fake(["writeFileSync", "openSync", "renameSync", "readFileSync"]), promises }, calls };
}

describe("what is reported", () => {
  for (const [name, args, path] of [
    ["writeFileSync", ["/a/b.json", "text"], "/a/b.json"],
    ["writeFileSync", [new URL("file:///a/b%20c.json")], "/a/b c.json"],
    ["openSync", ["/a/b.json", "w"], "/a/b.json"],
    ["openSync", ["/a/b.json", "r+"], "/a/b.json"],
    ["openSync", ["/a/b.json", "r"], undefined],
    ["openSync", ["/a/b.json", fs.constants.O_WRONLY], "/a/b.json"],
    ["openSync", ["/a/b.json"], undefined],
    ["renameSync", ["/a/b.tmp", "/a/b.json"], "/a/b.json"],
    ["readFileSync", ["/a/b.json"], undefined],
    ["writeFileSync", [7], undefined],
  ] as const) {
    test(`${name}(${args.map(String).join(", ")})`, () => {
      const { fs: fake, calls } = fakeFs();
      const reported: string[] = [];
      reportWrites(fake, (each) => reported.push(each));
      (fake[name] as (...all: unknown[]) => void)(...args);
      expect(reported).toEqual(path === undefined ? [] : [path]);
      expect(calls).toHaveLength(1);
    });
  }

  test("of the promises too", async () => {
    const { fs: fake } = fakeFs();
    const reported: string[] = [];
    reportWrites(fake, (each) => reported.push(each));
    await (fake.promises as unknown as typeof fs.promises).writeFile("/a/b.json", "");
    expect(reported).toEqual(["/a/b.json"]);
  });
});
