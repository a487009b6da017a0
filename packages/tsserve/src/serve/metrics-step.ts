import type { LifecycleEvent, Server, Step } from "@tsserve/server";
import type { Application } from "../application.ts";
import type { Host } from "../host.ts";
import type { RunningMetrics } from "../metrics/start-metrics.ts";
import type { Configuration } from "../configuration.ts";
import type { Watchdog } from "../stacks/watchdog.ts";
import type { Listener, EinhornWorker } from "@tsserve/listener";
import type { MetricsSocketInbox } from "../workers/metrics-socket.ts";
import type { Logger } from "pino";

/** What the metrics are made from, but for what comes with the server. */
export interface MetricsMaterial {
  readonly host: Host;
  readonly configuration: Configuration;
  readonly application: Application;
  readonly watchdog: Watchdog;
  readonly worker: EinhornWorker | undefined;
  /** The inherited socket that is the exporter's, where one is. */
  readonly exporter: Listener | undefined;
  readonly log: Logger;
}

/** The metrics of a process that serves. */
export interface Metrics {
  /** The server serves: what keeps, exports and reports its numbers is loaded now, beside the first requests. */
  of(server: Server, inbox: MetricsSocketInbox | undefined): void;
  /** What happens in the life of the process: some of it is kept for the last hour. */
  tell(event: LifecycleEvent): void;
}

/**
 * The first step to start is the last to stop: what is counted until the end is written. That they can't be started
 * keeps nobody from being served.
 */
export function metricsStep(material: MetricsMaterial): Step<Metrics> {
  let running: Promise<RunningMetrics | undefined> | undefined;
  return {
    name: "the metrics",
    start: () => ({
      of: (server, inbox) => {
        running = startMetrics(material, server, inbox);
      },
      tell: (event) => void running?.then((metrics) => metrics?.tell(event)),
    }),
    stop: async () => (await running)?.stop(),
  };
}

async function startMetrics(
  { host, configuration, application, watchdog, worker, exporter, log }: MetricsMaterial,
  server: Server,
  inbox: MetricsSocketInbox | undefined,
): Promise<RunningMetrics | undefined> {
  const { meter, pools, health, requests } = application;
  if (meter === undefined) return undefined;
  const metricsLog = log.child({ logger: "tsserve.metrics" });
  try {
    const metrics = await import("../metrics/start-metrics.ts");
    return await metrics.startMetrics({
      host,
      settings: configuration.metrics,
      monitoring: configuration.monitoring,
      folder: configuration.folder,
      meter,
      pools,
      server,
      health,
      requests,
      mask: (text) => configuration.masker.mask(text),
      log: metricsLog,
      worker: worker && { masterPid: worker.masterPid, index: worker.childIndex ?? 0 },
      inherited: exporter,
      inbox,
      loop: watchdog.loop,
      onBlock: (listener) => watchdog.onBlock(listener),
    });
  } catch (err) {
    metricsLog.error({ err }, "metrics could not be started");
    return undefined;
  }
}
