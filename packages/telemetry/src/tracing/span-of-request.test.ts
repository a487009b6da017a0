import type { RequestSpan } from "@tsserve/server";
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base";
import { describe, expect, it } from "vitest";
import { spanContextOf, spanOfRequest } from "./span-of-request.ts";

const timeOf = (steadyMs: number): number => 1_800_000_000_000 + steadyMs;
const resource = { attributes: {} } as ReadableSpan["resource"];
const trace = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" };
const request: RequestSpan = { name: "GET /", kind: "server", trace, startedAt: 1000, endedAt: 1250.5, attributes: { "http.route": "/" } };

describe("the span of a request", () => {
  it("has its ids, its times and its attributes", () => {
    const span = spanOfRequest(request, resource, timeOf);
    expect(span.spanContext()).toEqual({ ...trace, traceFlags: 1 });
    expect(span.parentSpanContext).toBeUndefined();
    expect(span.duration).toEqual([0, 250_500_000]);
    const ms = ([seconds, nanos]: readonly [number, number]): number => seconds * 1000 + nanos / 1e6;
    expect(ms(span.startTime)).toBeCloseTo(timeOf(1000), 2);
    expect(ms(span.endTime) - ms(span.startTime)).toBeCloseTo(250.5, 2);
    expect(span).toMatchObject({ name: "GET /", kind: 1, status: { code: 0 }, attributes: { "http.route": "/" }, ended: true });
  });

  it.each([
    ["internal", 0],
    ["server", 1],
    ["consumer", 4],
  ] as const)("of kind %s is OpenTelemetry's %s", (kind, number) => {
    expect(spanOfRequest({ ...request, kind }, resource, timeOf).kind).toBe(number);
  });

  it("has the caller's span for a parent, from elsewhere", () => {
    const span = spanOfRequest({ ...request, trace: { ...trace, parentId: "00f067aa0ba902b7" } }, resource, timeOf);
    expect(span.parentSpanContext).toEqual({ traceId: trace.traceId, spanId: "00f067aa0ba902b7", traceFlags: 1, isRemote: true });
  });

  it("that failed says why", () => {
    expect(spanOfRequest({ ...request, failure: "the answer was 500" }, resource, timeOf).status).toEqual({
      code: 2,
      message: "the answer was 500",
    });
  });

  it("never has a negative length, and whole numbers of nanoseconds", () => {
    for (const [startedAt, endedAt] of [
      [10, 9],
      [0.1, 0.30000000000000004],
      [999.9999999, 1000.0000001],
      [0, 86_400_000.123],
    ] as const) {
      const [seconds, nanos] = spanOfRequest({ ...request, startedAt, endedAt }, resource, timeOf).duration;
      expect(seconds).toBeGreaterThanOrEqual(0);
      expect(Number.isInteger(nanos) && nanos >= 0 && nanos <= 1e9).toBe(true);
    }
  });
});

it("the context of a request that is not recorded says so", () => {
  expect(spanContextOf(trace, false).traceFlags).toBe(0);
  expect(spanContextOf(trace, true).traceFlags).toBe(1);
});
