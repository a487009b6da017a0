import { expect, test } from "vitest";
import { nodeArguments } from "./node-arguments.ts";

const guard = "--inspect-port=192.0.2.1:9229";

test("the inspector is shut, once, unless somebody wants it; what follows is the program's", () => {
  expect(nodeArguments([], undefined)).toEqual([guard, "--"]);
  expect(nodeArguments(["--enable-source-maps"], "--max-old-space-size=512")).toEqual(["--enable-source-maps", guard, "--"]);
  expect(nodeArguments([guard], undefined)).toEqual([guard, "--"]);
  expect(nodeArguments(["--inspect=0"], undefined)).toEqual(["--inspect=0", "--"]);
  expect(nodeArguments([], "--inspect-brk")).toEqual(["--"]);
});
