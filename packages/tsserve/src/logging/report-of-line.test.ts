import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { reportOfLine } from "./report-of-line.ts";

const error = new Error("boom");
const foreign: unknown = runInNewContext("new TypeError('of another realm')");

describe("a line of the log", () => {
  it.each([
    ["an error alone", [error], { error }],
    ["an error with a text", [error, "text"], { error, message: "text" }],
    ["an error among fields", [{ err: error, owner: "the app" }, "text"], { error, owner: "the app", message: "text" }],
    ["an error under its long name", [{ error }], { error }],
    ["an error of another realm", [{ err: foreign }], { error: foreign }],
  ])("tells of %s", (_what, values, expected) => {
    expect(reportOfLine(values, 50, () => ({}))).toMatchObject({ level: "error", ...expected });
  });

  it.each([
    ["a text", ["failed"]],
    ["nothing", []],
    ["null", [null]],
    ["fields without an error", [{ reason: "x" }, "failed"]],
    ["an error that is a text", [{ err: "boom" }]],
  ])("tells of no failure with %s", (_what, values) => {
    expect(reportOfLine(values, 60, () => ({}))).toBeUndefined();
  });

  it.each([10, 20, 30, 40])("is no failure at level %i", (level) => {
    const bindings = (): never => {
      throw new Error("asked for nothing");
    };
    expect(reportOfLine([error], level, bindings)).toBeUndefined();
  });

  it("has the ids of its request from its fields, else from its logger", () => {
    const bound = { req_id: "r1", trace_id: "t1", span_id: "s1", logger: "app" };
    expect(reportOfLine([error], 60, () => bound)).toMatchObject({
      level: "fatal",
      requestId: "r1",
      traceId: "t1",
      spanId: "s1",
      owner: "app",
    });
    expect(reportOfLine([{ err: error, req_id: "r2" }], 50, () => bound)).toMatchObject({ requestId: "r2", traceId: "t1" });
  });
});
