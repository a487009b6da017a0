import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace-base";
import type { Logger } from "pino";
import { describe, expect, it } from "vitest";
import { quietExporter } from "./quiet-exporter.ts";

interface Told {
  readonly lost_spans: number;
  readonly message: string;
}

/** An exporter whose collector fails when `fails` says so, its log, and a clock that the test turns. */
function exporterWith(fails: () => boolean): { send(spans: number): number; told: Told[]; clock: { now: number } } {
  const told: Told[] = [];
  const clock = { now: 0 };
  const log = { warn: (fields: { lost_spans: number }, message: string) => told.push({ ...fields, message }) } as unknown as Logger;
  const failing: SpanExporter = {
    export: (_spans, done) => done(fails() ? { code: 1, error: new Error("connect ECONNREFUSED") } : { code: 0 }),
    shutdown: () => Promise.resolve(),
  };
  const exporter = quietExporter(failing, log, () => clock.now);
  return {
    told,
    clock,
    send: (spans) => {
      let code = -1;
      exporter.export(
        Array.from({ length: spans }, () => ({}) as ReadableSpan),
        (result) => (code = result.code),
      );
      return code;
    },
  };
}

describe("a collector that is away", () => {
  it("is told at once, then as a sum now and then", () => {
    const { send, told, clock } = exporterWith(() => true);
    send(10);
    for (let n = 0; n < 100; n++) send(5);
    expect(told).toEqual([{ lost_spans: 10, message: "the collector of traces did not take 10 spans: connect ECONNREFUSED" }]);
    clock.now = 60_001;
    send(1);
    expect(told.map((each) => each.lost_spans)).toEqual([10, 501]);
  });

  it("is nobody's business while it works", () => {
    const { send, told } = exporterWith(() => false);
    for (let n = 0; n < 10; n++) expect(send(3)).toBe(0);
    expect(told).toEqual([]);
  });

  it("hands the outcome on", () => {
    expect(exporterWith(() => true).send(1)).toBe(1);
  });
});
