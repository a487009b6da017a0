import { describe, expect, test } from "vitest";
import { traceOf, traceOfRaw } from "./trace.ts";

describe("the trace", () => {
  const id = "4bf92f3577b34da6a3ce929d0e0e4736";
  test("of traceparent: its trace, a new span", () => {
    const trace = traceOf({ traceparent: `00-${id}-00f067aa0ba902b7-01` });
    expect(trace.traceId).toBe(id);
    expect(trace.spanId).toMatch(/^[0-9a-f]{16}$/);
    expect(trace.spanId).not.toBe("00f067aa0ba902b7");
  });

  test("of baseplate's headers", () => expect(traceOf({ "x-trace": "123", "x-span": "456" })).toEqual({ traceId: "123", spanId: "456" }));

  test("of the headers as they came is that of the headers by name", () => {
    const values: Record<string, readonly string[]> = {
      TraceParent: [`00-${id}-00f067aa0ba902b7-01`, `00-${id}-00f067aa0ba902b7-00`, "garbage"],
      "X-Trace": ["123", 'a"b'],
      "x-span": ["456"],
      "X-PARENT": ["789"],
      "X-Sampled": ["1", "0"],
      "X-Other": ["1"],
      TE: ["trailers"],
    };
    for (let seed = 0; seed < 4000; seed++) {
      const raw = Object.entries(values).flatMap(([name, of], n) => {
        const times = (seed >> (n * 2)) & 3;
        return Array.from({ length: times === 3 ? 2 : times & 1 }, (_, m) => [name, of[(seed + n + m) % of.length] as string]).flat();
      });
      const headers: Record<string, string> = {};
      for (let n = 0; n < raw.length; n += 2) {
        const name = (raw[n] as string).toLowerCase();
        headers[name] = headers[name] === undefined ? (raw[n + 1] as string) : `${headers[name]}, ${raw[n + 1]}`;
      }
      const [found, expected] = [traceOfRaw(raw), traceOf(headers)];
      const { isNew } = expected;
      const known = ({ traceId, spanId, ...rest }: typeof found): object => ({
        ...rest,
        ...(isNew === true ? {} : { traceId, spanId: headers["traceparent"]?.startsWith("00-") === true ? "" : spanId }),
      });
      expect([seed, known(found)]).toEqual([seed, known(expected)]);
    }
  });

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
