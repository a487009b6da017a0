import { resolve } from "node:path";
import { formatEndpoint } from "@tsserve/config";
import type { Listener } from "@tsserve/listener";
import {
  blockedHubReporter,
  concurrencyReporter,
  eventLoopReporter,
  gcReporter,
  heapReporter,
  loadStatsdClient,
  poolsReporter,
  processGauges,
  refcycleReporter,
  schedule,
  statsdReporter,
  WorkerMetrics,
  type LoopWatcher,
  type Place,
  type Reporter,
} from "@tsserve/metrics";
import type { ActiveRequests, Health, LifecycleEvent, Meter, PoolFigures, Server } from "@tsserve/server";
import type { Logger } from "pino";
import type { Host } from "../host.ts";
import type { BlockMessage } from "../stacks/shared.ts";
import type { MetricsSocketInbox } from "../workers/metrics-socket.ts";
import type { MetricsSettings } from "./metrics-settings.ts";
import type { MonitoringSettings } from "./monitoring-settings.ts";
import { promClientRegistries } from "./prom-client-registries.ts";

export interface MetricsParts {
  readonly host: Host;
  readonly settings: MetricsSettings;
  readonly monitoring: MonitoringSettings;
  readonly meter: Meter;
  readonly pools: ReadonlyMap<string, () => PoolFigures | undefined>;
  readonly server: Server;
  /** What the probes on the exporter's port are answered by. */
  readonly health: Health;
  readonly log: Logger;
  /** Of the INI file. */
  readonly folder: string;
  /** Of the worker, by its master; `undefined` for a single process. */
  readonly worker: { readonly masterPid: number; readonly index: number } | undefined;
  /** The inherited socket that is the exporter's. */
  readonly inherited: Listener | undefined;
  /** Of our own master's workers, where the exporter's socket comes. */
  readonly inbox: MetricsSocketInbox | undefined;
  /** Where the watchdog is told that the event loop turns. */
  readonly loop: LoopWatcher;
  /** Where the watchdog tells what it has found. */
  readonly onBlock: (listener: (block: BlockMessage) => void) => void;
  readonly requests: ActiveRequests;
  /** Takes secrets out of what is kept and shown. */
  readonly mask: (text: string) => string;
}

export interface RunningMetrics {
  /** What happens in the life of the process, for its last hour. */
  tell(event: LifecycleEvent): void;
  stop(): Promise<void>;
}

/** Keeps, exports and reports the metrics of this process. */
export async function startMetrics(parts: MetricsParts): Promise<RunningMetrics> {
  const { host, settings, meter, worker, log } = parts;
  const metrics = new WorkerMetrics({
    meter,
    masterPid: worker?.masterPid ?? host.pid,
    workerIndex: worker?.index ?? 0,
    parent: settings.parent,
    registries: promClientRegistries,
    sample: () => meter.sample(),
    page: settings.page,
    health: parts.health,
    hostname: host.hostname,
    requests: parts.requests,
    mask: parts.mask,
    log,
  });
  metrics.start();
  const onError = (reporter: string, err: unknown): void => log.warn({ err, reporter }, `the reporter ${reporter} failed`);
  const endReports = schedule(await reporters(parts), metrics.pulse, onError);
  metrics.startHistory();
  parts.onBlock(({ at, stack, requests }) =>
    metrics.note({ at, type: "blocked", text: blockText(host.pid, stack), details: stack, requests }),
  );
  if (parts.inbox !== undefined) parts.inbox.each((handle) => metrics.exporter.listenAt(handlePlace(handle)));
  else metrics.exporter.listenAt(parts.inherited === undefined ? boundPlace(parts) : inheritedPlace(parts.inherited, log));
  return {
    tell: (event) => {
      if (event.type !== "deadline") return;
      const { requests } = event;
      metrics.note({
        at: Date.now(),
        type: "deadline",
        text: `pid ${host.pid} cut ${requests.length} requests at the stop deadline`,
        requests,
      });
    },
    stop: async () => {
      endReports();
      await metrics.stop();
    },
  };
}

/** The topmost frame that is not Node's own says it in one line. */
function blockText(pid: number, stack: string): string {
  const frames = [...stack.matchAll(/^\s*at (.*)$/gm)].map(([, frame = ""]) => frame);
  const frame = frames.find((each) => !each.includes("node:")) ?? frames[0];
  return `the event loop of pid ${pid} stood still${frame === undefined ? "" : ` in ${frame}`}`;
}

async function reporters({ host, settings, monitoring, meter, pools, server, log, folder, loop }: MetricsParts): Promise<Reporter[]> {
  const gauges = processGauges(meter, host.hostname, host.pid);
  const statsdClient = settings.statsd && loadStatsdClient(folder);
  const statsd =
    settings.statsd &&
    statsdClient &&
    statsdReporter(statsdClient, meter, {
      ...settings.statsd,
      namespace: settings.namespace,
      hostname: host.hostname,
      pid: host.pid,
    });
  const { gc, blockedHubMs } = monitoring;
  return [
    ...(monitoring.concurrency ? [concurrencyReporter(gauges, () => server.stats())] : []),
    ...(monitoring.connectionPool ? [poolsReporter(gauges, pools)] : []),
    eventLoopReporter(gauges),
    ...(gc.stats ? [heapReporter(gauges)] : []),
    ...(gc.stats || gc.timing ? [gcReporter(meter, host.hostname, gc, statsd)] : []),
    ...(blockedHubMs === undefined ? [] : [blockedHubReporter(meter, host.hostname, blockedHubMs, loop, statsd)]),
    ...refcycle(gc.refcycle, folder, log),
    // The last one: it sends what the others have just set.
    ...(statsd === undefined ? [] : [statsd]),
  ];
}

/** For debugging: that its folder can't be made is no reason not to serve. */
function refcycle(written: string | undefined, folder: string, log: Logger): Reporter[] {
  if (written === undefined) return [];
  try {
    return [refcycleReporter(resolve(folder, written), log)];
  } catch (err) {
    log.warn({ err }, `monitoring.gc.refcycle is off: ${(err as Error).message}`);
    return [];
  }
}

/** Among workers, whoever comes first has the port, and the next one takes it over when that one goes. */
function boundPlace({ settings, worker, log }: MetricsParts): Place {
  const where = formatEndpoint(settings.endpoint);
  const options = "path" in settings.endpoint ? settings.endpoint : { ...settings.endpoint, host: settings.endpoint.host || undefined };
  return {
    listen: (server) => server.listen(options),
    onBusy: (error) =>
      worker === undefined
        ? log.warn({ code: error.code }, `metrics: cannot listen on ${where} (${error.code}); it is tried again until it can`)
        : log.debug({ code: error.code }, `metrics: another worker has ${where}, or somebody else`),
    onListening: () => log.info({ endpoint: where }, `metrics at http://${where}/metrics`),
  };
}

function inheritedPlace(listener: Listener, log: Logger): Place {
  const fail = (err: unknown): void => log.warn({ err }, "metrics: can't listen on the inherited socket");
  return { listen: (server) => void listener.listen(server).catch(() => undefined), onBusy: fail, onListening: () => undefined };
}

function handlePlace(handle: object): Place {
  return { listen: (server) => server.listen({ _handle: handle } as object), onBusy: () => undefined, onListening: () => undefined };
}
