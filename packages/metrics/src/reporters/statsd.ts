import { isGauge, requirePeer, type Labels, type Meter } from "@tsserve/server";
import { slowReportIntervalMs, type Reporter } from "./schedule.ts";

/** Lines wait for each other for so long, so that a report is one datagram. */
const gatherMs = 100;
/** A datagram that no network cuts. */
const datagramBytes = 1400;

export interface StatsdOptions {
  readonly host: string;
  readonly port: number;
  /** What the names begin with. */
  readonly namespace: string;
  readonly hostname: string;
  readonly pid: number;
}

/** Where durations of single events go, in milliseconds. */
export interface Timings {
  timing(name: string, ms: number, labels?: Labels): void;
}

type Tags = Readonly<Record<string, string>>;

/** What is used of hot-shots, which need not be installed. */
export type StatsdClient = new (options: object) => {
  gauge(name: string, value: number, tags: Tags): void;
  increment(name: string, value: number, tags: Tags): void;
  timing(name: string, ms: number, tags: Tags): void;
  close(done: () => void): void;
};

/**
 * Loads the client, which only those install who need it: the app's own copy where it has one.
 *
 * @param folder of the INI file
 * @returns `undefined` where it is not installed
 */
export function loadStatsdClient(folder: string): StatsdClient | undefined {
  return (requirePeer("hot-shots", [folder, import.meta.url]) as { StatsD: StatsdClient } | undefined)?.StatsD;
}

/**
 * Sends the figures of the runtime, as StatsD lines with tags (`app.runtime.open_connections,hostname=a,PID=1:3|g`). By UDP:
 * whether anybody listens makes no difference here.
 */
export function statsdReporter(Client: StatsdClient, meter: Meter, options: StatsdOptions): Reporter & Timings {
  const { host, port, namespace, hostname, pid } = options;
  const client = new Client({
    host,
    port,
    prefix: namespace === "" ? "runtime." : `${namespace}.runtime.`,
    telegraf: true,
    cacheDns: true,
    maxBufferSize: datagramBytes,
    bufferFlushInterval: gatherMs,
    errorHandler: () => undefined,
  });
  const tags = (labels: Labels): Tags => {
    const { hostname: _hostname, pid: _pid, ...others } = labels;
    return { hostname, PID: String(pid), ...others };
  };
  const sent = new Map<number, number>();
  return {
    name: "metrics.statsd",
    everyMs: slowReportIntervalMs,
    report: () => {
      for (const series of meter.series) {
        const { family, labels, cell } = series;
        const value = meter.values[cell];
        if (!family.name.startsWith("runtime_") || value === undefined || Number.isNaN(value)) continue;
        if (isGauge(series)) client.gauge(nameOf(family.name), value, tags(labels));
        else if (family.type === "counter") {
          const more = value - (sent.get(cell) ?? 0);
          sent.set(cell, value);
          if (more > 0) client.increment(nameOf(family.name), more, tags(labels));
        }
      }
    },
    timing: (name, ms, labels = {}) => client.timing(name, ms, tags(labels)),
    end: () => client.close(() => undefined),
  };
}

/** `runtime_pool_in_use` is `pool.in_use` here, as in baseplate. */
function nameOf(name: string): string {
  return name
    .slice("runtime_".length)
    .replace(/_total$/, "")
    .replace(/^(pool|gc|heap|event_loop)_/, "$1.");
}
