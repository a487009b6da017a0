import { assert, integer, nat, property, record, string, uint8Array, uniqueArray } from "fast-check";
import { describe, expect, test } from "vitest";
import { markOf, readPack, writePack, type CompiledModule } from "./pack.ts";

const compiled = record({
  path: string({ unit: "binary", maxLength: 30 }),
  source: string({ maxLength: 50 }).map(markOf),
  data: uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
});
const modules = uniqueArray(compiled, { selector: ({ path }) => path, maxLength: 12 });

test("what was written is read", () => {
  assert(
    property(modules, (written) => {
      expect([...readPack(writePack(written)).values()]).toEqual(written);
    }),
  );
});

describe("is refused", () => {
  test("with any one byte changed, and with any length but its own", () => {
    assert(
      property(modules, nat(), integer({ min: 1, max: 255 }), nat(), (written, at, change, cut) => {
        const bytes = writePack(written);
        const changed = Buffer.from(bytes);
        const position = at % bytes.length;
        changed[position] = (changed[position] ?? 0) ^ change;
        expect(() => readPack(changed)).toThrow();
        expect(() => readPack(bytes.subarray(0, cut % bytes.length))).toThrow();
        expect(() => readPack(Buffer.concat([bytes, Buffer.alloc(1 + (cut % 5))]))).toThrow();
      }),
    );
  });

  test("whatever else the file holds", () => {
    assert(
      property(uint8Array({ maxLength: 300 }), (bytes) => {
        expect(() => readPack(Buffer.from(bytes))).toThrow();
      }),
    );
  });
});

test("two sources of one length are told apart", () => {
  assert(
    property(string({ minLength: 1, maxLength: 40 }), nat(), (source, at) => {
      const position = at % source.length;
      const other = `${source.slice(0, position)}${source[position] === "a" ? "b" : "a"}${source.slice(position + 1)}`;
      expect(markOf(other)).not.toEqual(markOf(source));
    }),
  );
});

test("a module without data, and no module at all", () => {
  const one: CompiledModule = { path: "/a.js", source: markOf("a"), data: Buffer.from("data") };
  expect(
    readPack(writePack([one]))
      .get("/a.js")
      ?.data.toString(),
  ).toBe("data");
  expect(readPack(writePack([])).size).toBe(0);
});
