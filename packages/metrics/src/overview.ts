import { latencyBuckets } from "@tsserve/server";
import { endpointOf, isError, isFailedMessage } from "./history/meter-figures.ts";
import type { MergedFamily, MergedSeries } from "./merge.ts";

/** What the page shows of one process. */
interface ProcessFigures {
  readonly pid: number;
  [figure: string]: number;
}

interface EndpointFigures {
  readonly name: string;
  requests: number;
  /** Answers with 500 and above, and failed calls. */
  failed: number;
  active: number;
  /** Of its requests, by the buckets of all. */
  readonly latency: number[];
}

interface QueueFigures {
  /** The consumer's. */
  readonly name: string;
  readonly queue: string;
  active: number;
  /** Those that wait in the workers. */
  buffered: number;
  /** How many workers have their subscription. */
  connected: number;
  /** Messages that left, whatever became of them; counters, as all the following. */
  messages: number;
  retries: number;
  dead: number;
  reconnects: number;
  /** From sent to the first run: of how many messages, and their seconds in all. */
  lag_count: number;
  lag_sum: number;
}

/** What the page is fed with: counters as they are, it makes rates of them itself. */
export interface Overview {
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly requests: number;
  readonly failed: number;
  readonly active: number;
  readonly messages: number;
  readonly messages_failed: number;
  readonly collections: number;
  /** Of all requests, by bucket; the last one is what is above all bounds, in seconds. */
  readonly latency: { readonly bounds: readonly number[]; readonly counts: readonly number[] };
  readonly processes: readonly ProcessFigures[];
  readonly endpoints: readonly EndpointFigures[];
  readonly queues: readonly QueueFigures[];
  readonly pools: readonly Readonly<Record<string, string | number>>[];
}

const processGauges: Readonly<Record<string, string>> = {
  runtime_open_connections: "open_connections",
  runtime_active_requests: "active_requests",
  runtime_event_loop_utilization: "event_loop_utilization",
  runtime_heap_used_bytes: "heap_used",
  runtime_heap_limit_bytes: "heap_limit",
  runtime_resident_memory_bytes: "resident",
};

const mostEndpoints = 50;

export function overviewOf(families: readonly MergedFamily[], now: number): Overview {
  const byName = new Map(families.map((family) => [family.family.name, family]));
  const seriesOf = (name: string): readonly MergedSeries[] => byName.get(name)?.series ?? [];
  const total = (series: readonly MergedSeries[]): number => series.reduce((sum, { values }) => sum + (values[0] ?? 0), 0);
  const endpoints = endpointsOf(seriesOf);
  const sum = (of: (endpoint: EndpointFigures) => number): number => endpoints.reduce((all, endpoint) => all + of(endpoint), 0);
  const messages = seriesOf("queue_consumer_messages_total");
  return {
    time: now,
    requests: sum(({ requests }) => requests),
    failed: sum(({ failed }) => failed),
    active: sum(({ active }) => active),
    messages: total(messages),
    messages_failed: total(messages.filter(({ labels }) => isFailedMessage(labels))),
    collections: total(seriesOf("runtime_gc_collections_total")),
    latency: { bounds: latencyBuckets, counts: noLatency().map((_, bucket) => sum(({ latency }) => latency[bucket] ?? 0)) },
    processes: processesOf(seriesOf),
    endpoints: endpoints.sort((a, b) => b.requests - a.requests).slice(0, mostEndpoints),
    queues: queuesOf(seriesOf),
    pools: poolsOf(seriesOf),
  };
}

type SeriesOf = (name: string) => readonly MergedSeries[];

function endpointsOf(seriesOf: SeriesOf): EndpointFigures[] {
  const endpoints = new Map<string, EndpointFigures>();
  const of = (series: MergedSeries): EndpointFigures => {
    const name = endpointOf(series);
    let endpoint = endpoints.get(name);
    if (endpoint === undefined) {
      endpoint = { name, requests: 0, failed: 0, active: 0, latency: noLatency() };
      endpoints.set(name, endpoint);
    }
    return endpoint;
  };
  for (const kind of ["http", "thrift"]) {
    for (const series of seriesOf(`${kind}_server_requests_total`)) {
      const count = series.values[0] ?? 0;
      of(series).requests += count;
      if (isError(series)) of(series).failed += count;
    }
    for (const series of seriesOf(`${kind}_server_latency_seconds`)) {
      const { latency } = of(series);
      for (let bucket = 0; bucket < latency.length; bucket++) latency[bucket] = (latency[bucket] ?? 0) + (series.values[bucket] ?? 0);
    }
    for (const series of seriesOf(`${kind}_server_active_requests`)) of(series).active += series.values[0] ?? 0;
  }
  return [...endpoints.values()];
}

function queuesOf(seriesOf: SeriesOf): QueueFigures[] {
  const queues = new Map<string, QueueFigures>();
  const each = (name: string, take: (queue: QueueFigures, value: number, series: MergedSeries) => void): void => {
    for (const series of seriesOf(`queue_consumer_${name}`)) {
      const { queue_consumer: consumer = "", queue_name: queue = "" } = series.labels;
      const figures = queues.get(consumer) ?? noMessages(consumer, queue);
      queues.set(consumer, figures);
      take(figures, series.values[0] ?? 0, series);
    }
  };
  each("active_messages", (queue, value) => (queue.active += value));
  each("buffered_messages", (queue, value) => (queue.buffered += value));
  each("connected", (queue, value) => (queue.connected += value));
  each("reconnects_total", (queue, value) => (queue.reconnects += value));
  each("messages_total", (queue, value, { labels }) => {
    queue.messages += value;
    if (labels["queue_outcome"] === "retry") queue.retries += value;
    if (labels["queue_outcome"] === "dead") queue.dead += value;
  });
  each("lag_seconds", (queue, _, { values }) => {
    queue.lag_count += values.slice(0, -1).reduce((sum, value) => sum + value, 0);
    queue.lag_sum += values.at(-1) ?? 0;
  });
  return [...queues.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function noMessages(name: string, queue: string): QueueFigures {
  return { name, queue, active: 0, buffered: 0, connected: 0, messages: 0, retries: 0, dead: 0, reconnects: 0, lag_count: 0, lag_sum: 0 };
}

function noLatency(): number[] {
  return latencyBuckets.map(() => 0).concat(0);
}

function processesOf(seriesOf: SeriesOf): ProcessFigures[] {
  const processes = new Map<number, ProcessFigures>();
  const set = ({ labels, values }: MergedSeries, figure: string): void => {
    const pid = Number(labels["pid"]);
    const known = processes.get(pid) ?? { pid };
    known[figure] = values[0] ?? 0;
    processes.set(pid, known);
  };
  for (const [name, figure] of Object.entries(processGauges)) for (const series of seriesOf(name)) set(series, figure);
  for (const series of seriesOf("runtime_event_loop_delay_seconds"))
    if (series.labels["quantile"] === "0.99") set(series, "event_loop_delay");
  return [...processes.values()].sort((a, b) => a.pid - b.pid);
}

function poolsOf(seriesOf: SeriesOf): Readonly<Record<string, string | number>>[] {
  const pools = new Map<string, Record<string, string | number>>();
  for (const figure of ["size", "idle", "in_use", "waiting"]) {
    for (const { labels, values } of seriesOf(`runtime_pool_${figure}`)) {
      const key = `${labels["pid"]} ${labels["client"]}`;
      const pool = pools.get(key) ?? { pid: Number(labels["pid"]), client: labels["client"] ?? "" };
      pool[figure] = values[0] ?? 0;
      pools.set(key, pool);
    }
  }
  return [...pools.values()];
}
