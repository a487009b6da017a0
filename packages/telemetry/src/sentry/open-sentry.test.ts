import { describe, expect, it } from "vitest";
import { masked, refusalOf } from "./open-sentry.ts";

describe("an event", () => {
  it("holds no secret in any text, at whatever depth, and keeps everything else", () => {
    const event = {
      exception: { values: [{ value: "login hunter2 failed", stacktrace: { frames: [{ lineno: 7, vars: null }] } }] },
      tags: { a: "hunter2" },
      n: 1,
    };
    const shown = masked(event, (text) => text.replaceAll("hunter2", "****"));
    expect(shown).toEqual({
      exception: { values: [{ value: "login **** failed", stacktrace: { frames: [{ lineno: 7, vars: null }] } }] },
      tags: { a: "****" },
      n: 1,
    });
  });

  it("may be deeper than anybody looks", () => {
    let deep: object = { value: "x" };
    for (let index = 0; index < 10_000; index++) deep = { deep };
    expect(() => masked(deep, (text) => text)).not.toThrow();
  });
});

describe("what Sentry answers", () => {
  it.each([
    [{ statusCode: 200 }, undefined],
    [{ statusCode: 429 }, "it answered with 429"],
    [{ statusCode: 503 }, "it answered with 503"],
    [{}, "no answer"],
    [undefined, "no answer"],
    [{ reason: new Error("ECONNREFUSED") }, "ECONNREFUSED"],
  ])("%o is told as %s", (response, reason) => {
    expect(refusalOf(response)).toBe(reason);
  });
});
