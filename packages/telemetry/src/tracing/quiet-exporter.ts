import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace-base";
import type { Logger } from "pino";

type Result = Parameters<Parameters<SpanExporter["export"]>[1]>[0];

/** `ExportResultCode.SUCCESS` of @opentelemetry/core. */
const success = 0;
/** How often what was lost is told again. */
const tellEveryMs = 60_000;

/**
 * An exporter that tells the log of its failures: the first at once, the others as a number now and then. A collector that
 * is away costs spans, never requests, and never a flood in the log.
 */
export function quietExporter(exporter: SpanExporter, log: Logger, now: () => number): SpanExporter {
  let lost = 0;
  let toldAt = Number.NEGATIVE_INFINITY;
  const tell = (reason: string): void => {
    if (now() - toldAt < tellEveryMs) return;
    toldAt = now();
    log.warn({ lost_spans: lost }, `the collector of traces did not take ${lost} spans: ${reason}`);
    lost = 0;
  };
  return {
    export: (spans: ReadableSpan[], done: (result: Result) => void) => {
      exporter.export(spans, (result) => {
        const code: number = result.code;
        if (code !== success) {
          lost += spans.length;
          tell(result.error?.message ?? "no reason is known");
        }
        done(result);
      });
    },
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
    shutdown: () => exporter.shutdown(),
  };
}
