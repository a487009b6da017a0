import { describe, expect, test } from "vitest";
import type { JobEnd } from "./run-job.ts";
import { spanOfJob, traceOfJob } from "./trace-job.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const parentId = "b7ad6b7169203331";

describe("the trace of a job", () => {
  test.each([
    ["01", true],
    ["00", false],
  ])("is the one of its environment, flags %s", (flags, sampled) => {
    const trace = traceOfJob({ TRACEPARENT: `00-${traceId}-${parentId}-${flags}`, TRACESTATE: "vendor=1" });
    expect(trace).toMatchObject({ traceId, parentId, sampled, state: "vendor=1" });
    expect(trace.spanId).toMatch(/^[0-9a-f]{16}$/);
    expect(trace.spanId).not.toBe(parentId);
    expect(trace.isNew).toBeUndefined();
  });

  test.each([
    {},
    { TRACEPARENT: "" },
    { TRACEPARENT: "nonsense" },
    { TRACEPARENT: `00-${"0".repeat(32)}-${parentId}-01` },
    { TRACESTATE: "vendor=1" },
    { traceparent: `00-${traceId}-${parentId}-01` },
  ])("of %j is a new one, which nobody has decided on", (env: Record<string, string>) => {
    const trace = traceOfJob(env);
    expect(trace).toMatchObject({ isNew: true });
    expect([trace.parentId, trace.sampled, trace.state]).toEqual([undefined, undefined, undefined]);
    expect(trace.traceId).toMatch(/^[0-9a-f]{32}$/);
  });
});

describe("the span of a job", () => {
  const ends: readonly (readonly [what: string, end: JobEnd, attributes: object, failure: string | undefined])[] = [
    ["succeeded", { exitCode: 0, succeeded: true }, { "process.exit.code": 0, "tsserve.outcome": "succeeded" }, undefined],
    [
      "gave a number",
      { exitCode: 7, succeeded: false },
      { "process.exit.code": 7, "tsserve.outcome": "failed", "error.type": "7" },
      "the exit code was 7",
    ],
    [
      "threw",
      { exitCode: 1, succeeded: false, error: new TypeError("no rows") },
      { "process.exit.code": 1, "tsserve.outcome": "failed", "error.type": "TypeError" },
      "no rows",
    ],
    [
      "was told to stop",
      { exitCode: 143, succeeded: false, signal: "SIGTERM" },
      { "process.exit.code": 143, "tsserve.outcome": "stopped", "error.type": "SIGTERM" },
      "stopped by SIGTERM",
    ],
  ];
  test.each(ends)("that %s", (_what, end, attributes, failure) => {
    const trace = traceOfJob({});
    expect(spanOfJob({ name: "nightly", trace, startedAt: 3, endedAt: 10, end })).toEqual({
      name: "nightly",
      kind: "internal",
      trace,
      startedAt: 3,
      endedAt: 10,
      attributes,
      failure,
    });
  });
});
