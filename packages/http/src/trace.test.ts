import { describe, expect, test } from "vitest";
import { traceOf } from "./trace.ts";

describe("the trace", () => {
  const id = "4bf92f3577b34da6a3ce929d0e0e4736";
  test("of traceparent: its trace, a new span", () => {
    const trace = traceOf({ traceparent: `00-${id}-00f067aa0ba902b7-01` });
    expect(trace.traceId).toBe(id);
    expect(trace.spanId).toMatch(/^[0-9a-f]{16}$/);
    expect(trace.spanId).not.toBe("00f067aa0ba902b7");
  });

  test("of baseplate's headers", () => expect(traceOf({ "x-trace": "123", "x-span": "456" })).toEqual({ traceId: "123", spanId: "456" }));

  test("a new one where there is none, or one that would harm a log", () => {
    for (const headers of [
      {},
      { traceparent: "garbage" },
      { traceparent: `00-${"0".repeat(32)}-00f067aa0ba902b7-01` },
      { traceparent: `00-${id}-${"0".repeat(16)}-01` },
      { traceparent: `ff-${id}-00f067aa0ba902b7-01` },
      { "x-trace": 'a"\n', "x-span": "b" },
    ])
      expect(traceOf(headers).traceId).toMatch(/^(?!0{32}|4bf92f3577b34da6)[0-9a-f]{32}$/);
  });
});
