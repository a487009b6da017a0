import { latencyBuckets, type Labels, type Meter, type Series } from "@tsserve/server";

/** What a process has done so far, and how it is now, from its own meter. */
export interface MeterFigures {
  requests: number;
  /** Answers with 500 and above, and failed calls. */
  errors: number;
  messages: number;
  messagesFailed: number;
  collections: number;
  connections: number;
  active: number;
  /** Seconds: by how much 99 % of all timers were late at most. */
  delay: number;
  heapUsed: number;
  heapLimit: number;
  resident: number;
  /** Of all requests, by the buckets of latencies; the last one is above them all. */
  readonly latency: number[];
}

type Take = (figures: MeterFigures, value: number) => void;

const counters: Readonly<Record<string, Take>> = {
  http_server_requests_total: (figures, value) => (figures.requests += value),
  thrift_server_requests_total: (figures, value) => (figures.requests += value),
  queue_consumer_messages_total: (figures, value) => (figures.messages += value),
  runtime_gc_collections_total: (figures, value) => (figures.collections += value),
};

const gauges: Readonly<Record<string, Take>> = {
  runtime_open_connections: (figures, value) => (figures.connections = value),
  runtime_active_requests: (figures, value) => (figures.active = value),
  runtime_heap_used_bytes: (figures, value) => (figures.heapUsed = value),
  runtime_heap_limit_bytes: (figures, value) => (figures.heapLimit = value),
  runtime_resident_memory_bytes: (figures, value) => (figures.resident = value),
};

/** Outcomes of a message that are none of a message that was dealt with. */
const failedOutcomes: ReadonlySet<string> = new Set(["retry", "dead", "cut"]);

/** Reads a meter again and again: which of its series say something here is found once. */
export class MeterReader {
  readonly #meter: Meter;
  readonly #taken: { readonly cell: number; readonly take: Take }[] = [];
  readonly #latencies: Series[] = [];
  #seen = 0;

  constructor(meter: Meter) {
    this.#meter = meter;
  }

  read(): MeterFigures {
    const { series, values } = this.#meter;
    for (; this.#seen < series.length; this.#seen++) this.#learn(series[this.#seen] as Series);
    const figures = noFigures();
    for (const { cell, take } of this.#taken) {
      const value = values[cell] as number;
      if (!Number.isNaN(value)) take(figures, value);
    }
    for (const { cell } of this.#latencies)
      for (let bucket = 0; bucket <= latencyBuckets.length; bucket++)
        figures.latency[bucket] = (figures.latency[bucket] as number) + (values[cell + bucket] as number);
    return figures;
  }

  /** The requests that failed so far, by what they were for. */
  errorsByEndpoint(): Map<string, number> {
    const errors = new Map<string, number>();
    for (const series of this.#meter.series) {
      if (!isError(series)) continue;
      const name = endpointOf(series);
      errors.set(name, (errors.get(name) ?? 0) + (this.#meter.values[series.cell] as number));
    }
    return errors;
  }

  #learn(series: Series): void {
    const { family, labels, cell } = series;
    const { name } = family;
    if (name === "http_server_latency_seconds" || name === "thrift_server_latency_seconds") this.#latencies.push(series);
    const take = counters[name] ?? gauges[name];
    if (take !== undefined) this.#taken.push({ cell, take });
    if (isError(series)) this.#taken.push({ cell, take: (figures, value) => (figures.errors += value) });
    if (name === "queue_consumer_messages_total" && isFailedMessage(labels))
      this.#taken.push({ cell, take: (figures, value) => (figures.messagesFailed += value) });
    if (name === "runtime_event_loop_delay_seconds" && labels["quantile"] === "0.99")
      this.#taken.push({ cell, take: (figures, value) => (figures.delay = value) });
  }
}

export function noFigures(): MeterFigures {
  return {
    requests: 0,
    errors: 0,
    messages: 0,
    messagesFailed: 0,
    collections: 0,
    connections: 0,
    active: 0,
    delay: 0,
    heapUsed: 0,
    heapLimit: 0,
    resident: 0,
    latency: latencyBuckets.map(() => 0).concat(0),
  };
}

/** Whether a series counts requests whose failure was the server's. */
export function isError({ family, labels }: Pick<Series, "labels"> & { readonly family: { readonly name: string } }): boolean {
  if (family.name === "http_server_requests_total") return Number(labels["http_response_code"]) >= 500;
  return family.name === "thrift_server_requests_total" && labels["thrift_success"] === "false";
}

/** Whether a series counts messages that were not dealt with as they should have been. */
export function isFailedMessage(labels: Labels): boolean {
  return failedOutcomes.has(labels["queue_outcome"] ?? "");
}

/** What a request was for, as people say it. */
export function endpointOf({ labels }: Pick<Series, "labels">): string {
  const method = labels["thrift_method"];
  if (method !== undefined) return method;
  const endpoint = labels["http_endpoint"] ?? "*";
  if (endpoint === "404") return `${(labels["http_method"] ?? "").toUpperCase()} (no route)`;
  return `${(labels["http_method"] ?? "").toUpperCase()} ${endpoint}`;
}
