import type { IncomingMessage } from "node:http";
import { describe, expect, test } from "vitest";
import { hasClientLeft } from "./client-left.ts";

const requestOn = (socket: unknown): IncomingMessage => ({ socket }) as IncomingMessage;
const gone = requestOn({ destroyed: true, errored: null });
const failing = requestOn({ destroyed: false, errored: new Error("reset") });
const there = requestOn({ destroyed: false, errored: null });
const withCode = (code: string): Error => Object.assign(new Error(code), { code });

describe("a client that has gone", () => {
  test.each(["ECONNRESET", "EPIPE", "ERR_STREAM_PREMATURE_CLOSE", "ERR_STREAM_DESTROYED", "ABORT_ERR"])("is why %s comes", (code) => {
    expect(hasClientLeft(gone, withCode(code))).toBe(true);
    expect(hasClientLeft(failing, withCode(code))).toBe(true);
    expect(hasClientLeft(requestOn(null), withCode(code))).toBe(true);
  });

  test("is why a signal aborts", () => {
    expect(hasClientLeft(gone, new DOMException("This operation was aborted", "AbortError"))).toBe(true);
  });

  test.each([
    ["an error without a code", new Error("x")],
    ["another code", withCode("ENOENT")],
    ["a text", "EPIPE"],
    ["nothing", undefined],
    ["null", null],
  ])("is not why %s comes", (_, thrown) => expect(hasClientLeft(gone, thrown)).toBe(false));
});

test("while the client waits, the same is a failure of the app's", () => {
  for (const code of ["ECONNRESET", "EPIPE", "ABORT_ERR"]) expect(hasClientLeft(there, withCode(code))).toBe(false);
  expect(hasClientLeft(undefined, withCode("EPIPE"))).toBe(false);
});
