import { describe, expect, it } from "vitest";
import { makeSampler, otelSpanId, otelTraceId } from "./trace-ids.ts";

describe("an id for OpenTelemetry", () => {
  const w3c = "0af7651916cd43dd8448eb211c80319c";

  it.each([
    ["of W3C", w3c, w3c],
    ["of Zipkin, 16 digits", "463ac35c9f6413ad", "0000000000000000463ac35c9f6413ad"],
    ["of baseplate, a decimal number", "1234567890123456789", "0000000000000000112210f47de98115"],
    ["the largest decimal number", "18446744073709551615", "0000000000000000ffffffffffffffff"],
  ])("%s is kept as a number", (_name, id, expected) => {
    expect(otelTraceId(id)).toBe(expected);
  });

  it.each(["", "0", "00000000000000000000000000000000", "18446744073709551616", "a-b-c", "ÄÖ", "x".repeat(64), "ABCDEF"])(
    "%j becomes one that is valid, and the same each time",
    (id) => {
      expect(otelTraceId(id)).toMatch(/^(?!0{32})[0-9a-f]{32}$/);
      expect(otelTraceId(id)).toBe(otelTraceId(id));
      expect(otelSpanId(id)).toMatch(/^(?!0{16})[0-9a-f]{16}$/);
    },
  );

  it("of a span has 16 digits", () => {
    expect(otelSpanId("b7ad6b7169203331")).toBe("b7ad6b7169203331");
    expect(otelSpanId("42")).toBe("000000000000002a");
  });

  it("is another one for another id", () => {
    const ids = Array.from({ length: 1000 }, (_, n) => `trace-${n}`);
    expect(new Set(ids.map((id) => otelTraceId(id))).size).toBe(ids.length);
  });
});

describe("sampling", () => {
  /** Trace ids whose last digits run evenly through all values. */
  const ids = Array.from(
    { length: 1000 },
    (_, n) =>
      `${"ab".repeat(12)}${Math.ceil((n * 2 ** 32) / 1000)
        .toString(16)
        .padStart(8, "0")}`,
  );

  const isSampled = (id: string, part: number): boolean => makeSampler(part)(id);

  it("compares as numbers do, at every part", () => {
    for (let n = 0; n < 2000; n++) {
      const tail = Math.floor(Math.random() * 2 ** 32);
      const id = "cd".repeat(12) + tail.toString(16).padStart(8, "0");
      for (const part of [0, 1e-9, 0.01, 0.1, Math.random(), 0.999999999, 1])
        expect([isSampled(id, part), makeSampler(part)(id, true)]).toEqual(Array(2).fill(tail < part * 2 ** 32 || part >= 1));
    }
  });

  it.each([0, 0.01, 0.25, 0.5, 1])("takes the part that it is told: %s", (part) => {
    expect(ids.filter((id) => isSampled(id, part)).length).toBe(Math.round(part * 1000));
  });

  it("takes of a larger part what it takes of a smaller one, so that services with other parts agree", () => {
    for (const id of ids) if (isSampled(id, 0.1)) expect(isSampled(id, 0.2)).toBe(true);
  });

  it("decides the same for the same trace, whatever form its id has", () => {
    for (let n = 1; n < 500; n++) {
      const decimal = String(BigInt(n) * 36_893_488_147_419_103n);
      expect(isSampled(decimal, 0.5)).toBe(isSampled(otelTraceId(decimal), 0.5));
    }
  });
});
