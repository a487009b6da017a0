import { expect, test } from "vitest";
import { traceHeaders, traceOf } from "./trace.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const parentId = "b7ad6b7169203331";

test("a traceparent is continued, as text or as bytes, with its state", () => {
  const written = `00-${traceId}-${parentId}-01`;
  for (const traceparent of [written, Buffer.from(written), `cc-${traceId}-${parentId}-01-more`]) {
    const trace = traceOf({ traceparent, tracestate: "a=1" });
    expect(trace).toMatchObject({ traceId, parentId, sampled: true, state: "a=1" });
    expect(trace.spanId).toMatch(/^[0-9a-f]{16}$/);
    expect(trace.spanId).not.toBe(parentId);
    expect(traceHeaders(trace)).toEqual({ traceparent: `00-${traceId}-${trace.spanId}-01`, tracestate: "a=1" });
  }
  expect(traceOf({ traceparent: `00-${traceId}-${parentId}-00` }).sampled).toBe(false);
});

test("anything else begins a trace", () => {
  const wrong = [undefined, "", 7, null, {}, "00-x", `00-${traceId.toUpperCase()}-${parentId}-01`, `00-${traceId}-${parentId}`];
  const ids = wrong.map((traceparent) => traceOf({ traceparent }));
  for (const trace of ids)
    expect([trace.parentId, trace.sampled, /^[0-9a-f]{32}$/.test(trace.traceId)]).toEqual([undefined, undefined, true]);
  expect(new Set(ids.map((trace) => trace.traceId)).size).toBe(wrong.length);
});
