import type { ActiveRequest, ActiveRequests } from "./active-requests.ts";
import type { Labels, Meter, MeterGauge, MetricFamily } from "./meter.ts";

type Observer<A, B> = (first: A, second: B) => void;

/** One function that calls two; the one that there is; or none. */
export function both<A, B>(one: Observer<A, B> | undefined, other: Observer<A, B> | undefined): Observer<A, B> | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return (first, second) => {
    one(first, second);
    other(first, second);
  };
}

/**
 * Keeps a gauge of the requests in progress, which are counted when somebody wants to know.
 *
 * @param labelsOf gives nothing for requests of others
 */
export function gaugeActive(
  meter: Meter,
  family: MetricFamily,
  requests: ActiveRequests,
  labelsOf: (request: ActiveRequest) => Labels | undefined,
): void {
  const gauges = new Map<string, MeterGauge>();
  meter.onSample(() => {
    const counts = new Map<string, number>();
    for (const request of requests) {
      const labels = labelsOf(request);
      if (labels === undefined) continue;
      const key = JSON.stringify(labels);
      if (!gauges.has(key)) gauges.set(key, meter.gauge(family, labels));
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    for (const [key, gauge] of gauges) gauge.set(counts.get(key) ?? 0);
  });
}
