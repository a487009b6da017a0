import { expect, test } from "vitest";
import { ListenError } from "./listen-error.ts";
import { checkUnixPath } from "./unix-path.ts";

const most = process.platform === "linux" ? 107 : 103;
const pathOf = (bytes: number): string => `/${"x".repeat(bytes - 1)}`;

test("a path as long as a unix socket's may be is taken, one byte more is not", () => {
  expect(() => checkUnixPath(pathOf(most))).not.toThrow();
  expect(() => checkUnixPath(pathOf(most + 1))).toThrow(ListenError);
  expect(() => checkUnixPath(pathOf(most + 1), "connect to")).toThrow(
    /^cannot connect to \/x+: .* at most \d+ bytes, and this one has \d+/,
  );
});

test("bytes count, not characters", () => {
  const path = `/${"é".repeat(60)}`;
  expect(path.length).toBeLessThan(most);
  expect(() => checkUnixPath(path)).toThrow(/has 121/);
});
