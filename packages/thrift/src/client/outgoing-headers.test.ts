import { TraceScope } from "@tsserve/server";
import { expect, test } from "vitest";
import type { ThriftContext } from "../server/thrift-context.ts";
import { clientSettings } from "./options.ts";
import { outgoingHeaders } from "./outgoing-headers.ts";

const settings = clientSettings({ endpoint: "localhost:9090", userAgent: "a-caller" });
const traceId = "0af7651916cd43dd8448eb211c80319c";

const request = (trace: Partial<ThriftContext["trace"]>, edge?: string): ThriftContext =>
  ({
    trace: { traceId, spanId: "b7ad6b7169203331", parentId: undefined, sampled: undefined, flags: undefined, ...trace },
    header: (name: string) => (name === "Edge-Request" ? edge : undefined),
  }) as unknown as ThriftContext;

test("a call on its own says how long it waits, and who asks", () => {
  expect(Object.fromEntries(outgoingHeaders(settings, undefined, 99.2, undefined))).toEqual({
    "Deadline-Budget": "100",
    "User-Agent": "a-caller",
  });
  expect(outgoingHeaders({ ...settings, userAgent: undefined }, undefined, 5, { Own: "x", "Deadline-Budget": "1" })).toEqual(
    new Map([
      ["Deadline-Budget", "1"],
      ["Own", "x"],
    ]),
  );
});

test("inside a request its trace goes on: its span is the parent, in both forms of headers", () => {
  const headers = Object.fromEntries(outgoingHeaders(settings, request({ sampled: true, flags: "3" }, "edge"), 5, undefined));
  expect(headers).toMatchObject({
    Trace: traceId,
    Parent: "b7ad6b7169203331",
    Sampled: "1",
    Flags: "3",
    "Edge-Request": "edge",
    traceparent: `00-${traceId}-b7ad6b7169203331-01`,
  });
  expect(headers["Span"]).toMatch(/^[0-9a-f]{16}$/);
});

test("what nobody has decided is not said, and what W3C's form can't say is said in the other only", () => {
  const headers = Object.fromEntries(outgoingHeaders(settings, request({ traceId: "123" }), 5, undefined));
  expect(Object.keys(headers).sort()).toEqual(["Deadline-Budget", "Parent", "Span", "Trace", "User-Agent"]);
  const unsampled = outgoingHeaders(settings, request({ sampled: false }), 5, undefined);
  expect([unsampled.get("Sampled"), unsampled.get("traceparent")?.at(-1)]).toEqual(["0", "0"]);
});

test("a trace goes on from a request of any kind, and its parent is the app's own span where there is one", () => {
  const scope = new TraceScope();
  const [requests, own] = ["00f067aa0ba902b7", "1111111111111111"];
  const parentOf = (thrift?: ThriftContext): unknown[] => {
    const headers = outgoingHeaders(settings, thrift, 5, undefined, scope);
    return [headers.get("Trace"), headers.get("Parent"), headers.get("Sampled"), headers.get("traceparent")];
  };
  scope.want();
  expect(parentOf()).toEqual([undefined, undefined, undefined, undefined]);
  const inside = (thrift?: ThriftContext): unknown[] =>
    scope.run(
      () => ({ traceId, spanId: requests }),
      () => parentOf(thrift),
    );
  expect(inside()).toEqual([traceId, requests, undefined, `00-${traceId}-${requests}-00`]);
  scope.decide = () => true;
  expect(inside()).toEqual([traceId, requests, "1", `00-${traceId}-${requests}-01`]);
  scope.active = () => ({ traceId, spanId: own, sampled: true });
  expect(inside()).toEqual([traceId, own, "1", `00-${traceId}-${own}-01`]);
  expect(parentOf(request({}))).toEqual([traceId, own, "1", `00-${traceId}-${own}-01`]);
  // Of an id that OpenTelemetry writes otherwise, others know the one that came.
  expect(parentOf(request({ traceId: "123" }))).toEqual(["123", "b7ad6b7169203331", "1", undefined]);
});

test.each(["framed binary", "unframed compact"] as const)("%s carries none", (form) => {
  expect(outgoingHeaders({ ...settings, ...clientSettings({ endpoint: "localhost:9090", form }) }, request({}), 5, { Own: "x" }).size).toBe(
    0,
  );
});
