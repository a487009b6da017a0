import { ConfigurationError, formatEndpoint } from "@tsserve/config";
import {
  acknowledge,
  inheritedListener,
  ListenError,
  readEinhornWorker,
  systemdDescriptors,
  type EinhornWorker,
  type Listener,
} from "@tsserve/listener";
import {
  exitCodes,
  runLifecycle,
  SERVER_STATE,
  systemClock,
  type LifecycleEvent,
  type Meter,
  type Server,
  type Step,
} from "@tsserve/server";
import { listenersFor, loadApplication, type Application } from "./application.ts";
import { FactoryError, stackOf } from "./factory-error.ts";
import type { Host } from "./host.ts";
import { logEvents } from "./log-events.ts";
import { makeLogger } from "./make-logger.ts";
import { readBinds, type OptionValues } from "./options.ts";
import { checkMetrics, type MetricsSettings } from "./metrics/metrics-settings.ts";
import type { MetricsParts, RunningMetrics } from "./metrics/start-metrics.ts";
import { readConfiguration } from "./read-configuration.ts";
import { isReloadChild, waitForTurn } from "./reload/child.ts";
import { settleNextTick } from "./settle-next-tick.ts";
import { dumpStacksOnSignal } from "./stacks/dump-stacks.ts";
import { watchMaster } from "./watch-master.ts";
import type { MetricsSocketInbox } from "./workers/metrics-socket.ts";
import { isOwnWorker } from "./workers/own-worker.ts";

/** Serves the app in this process until there is a reason to stop. */
export async function serveApplication(host: Host, positionals: readonly string[], values: OptionValues): Promise<number> {
  await settleNextTick();
  const configuration = await readConfiguration(host, positionals, values);
  const worker = readEinhornWorker(host.env, host);
  await checkMetrics(configuration.metrics);
  const endpoints = readBinds(values.binds);
  const rootLog = await makeLogger(configuration.logging, host);
  const log = rootLog.child({ logger: "tsserve", ...(worker?.childIndex === undefined ? {} : { worker: worker.childIndex }) });
  const application = await loadApplication(configuration, rootLog);
  const stacks = dumpStacksOnSignal(host, log, application.requests, {
    format: configuration.logging.format,
    blockedMs: configuration.metrics.enabled ? configuration.monitoring.blockedHubMs : undefined,
  });
  const passed = worker === undefined ? activated(host) : inheritedBy(worker);
  const metricsListener = isOwnWorker(host) ? undefined : exporterListener(passed, configuration.metrics);
  const inherited = passed.filter((listener) => listener !== metricsListener);
  const listeners = inherited.length === 0 ? await listenersFor(endpoints) : inherited;
  if (inherited.length > 0 && values.binds.length > 0 && !isOwnWorker(host))
    log.warn({ bind: values.binds }, `--bind is ignored: ${worker === undefined ? "systemd" : "the master"} passed its sockets`);
  const running: Running = { listeners, app: undefined, server: undefined, endBorrowing: undefined, inbox: undefined, metrics: undefined };
  const metricsParts = (meter: Meter, server: Server): MetricsParts => ({
    host,
    settings: configuration.metrics,
    monitoring: configuration.monitoring,
    folder: configuration.folder,
    meter,
    pools: application.pools,
    server,
    log: rootLog.child({ logger: "tsserve.metrics" }),
    worker: worker && { masterPid: worker.masterPid, slot: worker.childIndex ?? 0 },
    inherited: metricsListener,
    inbox: running.inbox,
    beat: () => stacks.beat(),
    onBlock: (listener) => stacks.onBlock(listener),
  });
  const logEvent = logEvents(log);
  let configurationIsWrong = false;
  const endFigures = isOwnWorker(host) ? (await import("./workers/report-figures.ts")).reportFigures(application.requests) : undefined;
  const exitCode = await runLifecycle({
    steps: [
      metricsStep(running),
      appStep(application, running),
      ...gateStep(host),
      serverStep(host, application, running),
      ...masterSteps(host, worker),
    ],
    // Nobody waits for a balancer while developing.
    settings: isReloadChild(host) ? { ...configuration.lifecycle, drainTimeMs: 0 } : configuration.lifecycle,
    state: SERVER_STATE,
    clock: systemClock,
    causes: host.causes,
    emit: (event) => {
      logEvent(event);
      if (event.type === "running") {
        stacks.start();
        const { server } = running;
        if (application.meter !== undefined && server !== undefined)
          running.metrics = beginMetrics(metricsParts(application.meter, server));
      }
      if (event.type !== "step-failed") return;
      configurationIsWrong = event.error instanceof ConfigurationError;
      host.printError(explainFailure(event));
    },
    addresses: () => running.server?.addresses?.() ?? listeners.map(({ endpoint }) => formatEndpoint(endpoint)),
    requests: () => application.requests.describe(),
    exit: (code) => host.exit(code),
  });
  stacks.end();
  endFigures?.();
  return configurationIsWrong ? exitCodes.misconfigured : exitCode;
}

/** What one step leaves for the next. */
interface Running {
  readonly listeners: readonly Listener[];
  app: unknown;
  server: Server | undefined;
  endBorrowing: (() => void) | undefined;
  inbox: MetricsSocketInbox | undefined;
  metrics: Promise<RunningMetrics | undefined> | undefined;
}

/** The first to start is the last to stop: what is counted until the end is written. What it needs is loaded when the server serves. */
function metricsStep(running: Running): Step {
  return {
    name: "the metrics",
    start: () => Promise.resolve(),
    stop: async () => (await running.metrics)?.stop(),
  };
}

/** @returns `undefined` when that fails, which keeps nobody from being served */
async function beginMetrics(parts: MetricsParts): Promise<RunningMetrics | undefined> {
  try {
    const { startMetrics } = await import("./metrics/start-metrics.ts");
    return await startMetrics(parts);
  } catch (err) {
    parts.log.error({ err }, "metrics could not be started");
    return undefined;
  }
}

/** @throws {ConfigurationError} when there is no such socket */
function exporterListener(inherited: readonly Listener[], { enabled, listener }: MetricsSettings): Listener | undefined {
  if (!enabled || listener === undefined || inherited.length === 0) return undefined;
  const found = inherited[listener];
  if (found === undefined || inherited.length === 1) {
    const message = `expected the number of one of several inherited sockets, counted from 0; there are ${inherited.length}`;
    throw new ConfigurationError([{ key: "metrics.listener", message, value: String(listener) }]);
  }
  return found;
}

function appStep(application: Application, running: Running): Step {
  return {
    name: "the app",
    start: async () => {
      running.app = await application.makeApp();
    },
    stop: () => application.stopHooks.run(),
  };
}

/** Under `--reload`, the app that is being replaced holds the port until this one is built. */
function gateStep(host: Host): Step[] {
  return isReloadChild(host) ? [{ name: "its turn", start: () => waitForTurn() }] : [];
}

function serverStep(host: Host, application: Application, running: Running): Step {
  return {
    name: "the server",
    start: async () => {
      const server = await application.makeServer(running.app, running.listeners);
      running.server = server;
      await server.start();
      if (isOwnWorker(host)) {
        running.endBorrowing = (await import("./workers/lend-sockets.ts")).borrowSockets(server);
        running.inbox = new (await import("./workers/metrics-socket.ts")).MetricsSocketInbox();
      }
      server.ended?.then(
        () => host.causes.add({ kind: "server-ended" }),
        (error: unknown) => host.causes.add({ kind: "server-ended", error }),
      );
    },
    drain: () => running.server?.drain(),
    stop: (deadline) => {
      running.endBorrowing?.();
      return running.server?.stop(deadline) ?? Promise.resolve();
    },
  };
}

/** A worker acknowledges when it accepts connections, not sooner, and leaves when its master has gone. */
function masterSteps(host: Host, worker: EinhornWorker | undefined): Step[] {
  if (worker === undefined) return [];
  let endWatch: (() => void) | undefined;
  return [
    {
      name: "the master",
      start: async () => {
        await acknowledge(worker, host);
        endWatch = watchMaster(worker.masterPid, () => host.causes.add({ kind: "orphaned", masterPid: worker.masterPid }));
      },
      stop: () => Promise.resolve(endWatch?.()),
    },
  ];
}

/** By systemd's socket activation. */
function activated({ env, pid }: Host): Listener[] {
  return systemdDescriptors(env, pid).map((fd, index) => inheritedListener(fd, `LISTEN_FDS, socket ${index},`));
}

function inheritedBy(worker: EinhornWorker): Listener[] {
  return worker.descriptors.map((fd, index) => inheritedListener(fd, `EINHORN_FD_${index}`));
}

function explainFailure({ step, error }: Extract<LifecycleEvent, { type: "step-failed" }>): string {
  const isReadable = error instanceof FactoryError || error instanceof ListenError || error instanceof ConfigurationError;
  return isReadable ? error.message : `tsserve: starting ${step} failed:\n${stackOf(error)}`;
}
