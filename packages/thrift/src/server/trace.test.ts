import { describe, expect, test } from "vitest";
import { findHeader, traceOf, type Trace } from "./trace.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const spanId = "b7ad6b7169203331";
const trace = (headers: Readonly<Record<string, string>>): Trace => traceOf((name) => findHeader(new Map(Object.entries(headers)), name));

describe("the trace of a request", () => {
  test.each<[Readonly<Record<string, string>>, Partial<Trace>]>([
    [{ traceparent: `00-${traceId}-${spanId}-01` }, { traceId, parentId: spanId, sampled: true, flags: undefined }],
    [{ traceparent: `00-${traceId}-${spanId}-00` }, { traceId, parentId: spanId, sampled: false }],
    [{ Traceparent: `00-${traceId}-${spanId}-03` }, { traceId, sampled: true }],
    [{ traceparent: `00-${traceId}-${spanId}-01`, Trace: "5" }, { traceId }],
    [
      { Trace: "123", Parent: "4", Span: "5", Sampled: "1", Flags: "7" },
      { traceId: "123", parentId: "4", sampled: true, flags: "7" },
    ],
    [
      { trace: "123", SPAN: "5", sampled: "0" },
      { traceId: "123", parentId: "5", sampled: false, flags: undefined },
    ],
    [
      { Trace: "123", Parent: "not an id" },
      { traceId: "123", parentId: undefined },
    ],
    [{ Trace: "123", Flags: String(2n ** 64n - 1n) }, { traceId: "123" }],
  ])("%j", (headers, expected) => expect(trace(headers)).toMatchObject(expected));

  test.each<Readonly<Record<string, string>>>([
    {},
    { traceparent: `00-${traceId}-${spanId}` },
    { traceparent: `00-${traceId.toUpperCase()}-${spanId}-01` },
    { traceparent: "00-0-0-01" },
    { Trace: "" },
    { Trace: "with spaces" },
    { Trace: "x".repeat(65) },
    { Trace: "123", Flags: "-1" },
    { Trace: "123", Flags: String(2n ** 64n) },
    { Trace: "123", Flags: "1.5" },
  ])("%j begins a new one", (headers) => {
    const begun = trace(headers);
    expect(begun).toMatchObject({ parentId: undefined, sampled: undefined, flags: undefined });
    expect(begun.traceId).toMatch(/^[0-9a-f]{32}$/);
  });

  test("the span is the request's own", () => {
    const headers = { traceparent: `00-${traceId}-${spanId}-01` };
    const spans = new Set(Array.from({ length: 100 }, () => trace(headers).spanId));
    expect([spans.size, spans.has(spanId)]).toEqual([100, false]);
  });
});

test("a header is found whatever its case, one of the same case first", () => {
  const headers = new Map([
    ["user-agent", "lower"],
    ["User-Agent", "exact"],
  ]);
  expect(["User-Agent", "user-agent", "USER-AGENT", "User-Agen", ""].map((name) => findHeader(headers, name))).toEqual([
    "exact",
    "lower",
    "lower",
    undefined,
    undefined,
  ]);
});
