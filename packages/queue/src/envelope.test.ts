import { deflateSync, gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { inflate, longestInflated } from "./envelope.ts";

test("zlib's bytes are taken apart", () => {
  for (const text of ["", "hello", "ä".repeat(100_000)]) expect(inflate(deflateSync(text)).toString()).toBe(text);
});

test.each([
  ["nothing", Buffer.alloc(0)],
  ["a text", Buffer.from("hello")],
  ["gzip's own frame", gzipSync("hello")],
  ["the half of it", deflateSync("hello".repeat(1000)).subarray(0, 20)],
])("%s is refused", (_, bytes) => expect(() => inflate(bytes)).toThrow());

test("a small body that would fill the memory is refused", () => {
  const bomb = deflateSync(Buffer.alloc(longestInflated + 1));
  expect(bomb.length).toBeLessThan(longestInflated / 500);
  expect(() => inflate(bomb)).toThrow(/larger than|Cannot create/);
});
