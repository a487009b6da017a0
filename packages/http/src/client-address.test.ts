import type { IncomingMessage } from "node:http";
import { describe, expect, test } from "vitest";
import { traceOf } from "./trace.ts";
import { clientAddress, proxyPattern, trustedProxies } from "./trusted-proxies.ts";

const request = (remoteAddress: string | undefined, forwarded?: string | string[]): IncomingMessage =>
  ({ socket: { remoteAddress }, headers: { "x-forwarded-for": forwarded } }) as unknown as IncomingMessage;

describe("the client's address", () => {
  test.each([
    [[], "127.0.0.1", "9.9.9.9", "127.0.0.1"],
    [["loopback"], "127.0.0.1", undefined, "127.0.0.1"],
    [["loopback"], "127.0.0.1", "9.9.9.9", "9.9.9.9"],
    [["loopback"], "::ffff:127.0.0.1", "9.9.9.9", "9.9.9.9"],
    [["loopback"], "8.8.8.8", "9.9.9.9", "8.8.8.8"],
    [["loopback", "10.0.0.0/8"], "127.0.0.1", "6.6.6.6, 9.9.9.9, 10.1.2.3", "9.9.9.9"],
    [["loopback"], "::1", "[2001:db8::1]:443", "2001:db8::1"],
    [["loopback"], "127.0.0.1", "9.9.9.9:1234", "9.9.9.9"],
    [["loopback"], "127.0.0.1", "<script>", "127.0.0.1"],
    [["unix"], undefined, "9.9.9.9", "9.9.9.9"],
    [["uniquelocal"], "192.168.1.1", "172.16.0.1, 10.0.0.1", "172.16.0.1"],
  ] as const)("%j: peer %s, header %s: %s", (patterns, peer, header, expected) => {
    expect(clientAddress(request(peer, header), trustedProxies(patterns))).toBe(expected);
  });

  test("what is no address, network or name is refused", () => {
    for (const good of ["10.0.0.0/8", "::1", "loopback", "unix", "fe80::/10"]) expect(proxyPattern(good)).toBe(good);
    for (const bad of ["10.0.0.0/33", "all", "1.2.3", "::1/129", "10.0.0.0/8/8"]) expect(() => proxyPattern(bad)).toThrow("is none");
  });
});

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
