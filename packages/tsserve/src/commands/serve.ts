import { asError, formatEndpoint, isTsserveError, startFailed, TsserveError } from "@tsserve/config";
import { readEinhornWorker } from "@tsserve/listener";
import { exitCodeAfter, failureReports, runLifecycle, SERVER_STATE, systemClock, type Begin, type LifecycleEvent } from "@tsserve/server";
import { prepareApplication } from "../application.ts";
import type { Host } from "../host.ts";
import type { Configuration } from "../configuration.ts";
import { importModule } from "../import-module.ts";
import { interruptible } from "../interruptible.ts";
import { logEvents } from "../log-events.ts";
import { checkMetrics } from "../metrics/metrics-settings.ts";
import type { OptionValues } from "../options.ts";
import { adoptEnvironment, readConfiguration, readTexts } from "../read-configuration.ts";
import { LastReports } from "../reports/last-reports.ts";
import { guardProcess } from "../process/guard-process.ts";
import { isReloadChild, tellWrites } from "../reload/child.ts";
import { appModuleStep, appStep, stopHooksStep } from "../serve/app-steps.ts";
import { endStuck } from "../serve/end-stuck.ts";
import { compileCacheStep } from "../serve/compile-cache-step.ts";
import { controlStep } from "../serve/control-step.ts";
import { figuresStep } from "../serve/figures-step.ts";
import { acknowledgeStep, mastersSocketsStep } from "../serve/master-steps.ts";
import { metricsStep, type Metrics } from "../serve/metrics-step.ts";
import { replStep } from "../serve/repl-step.ts";
import { listenStep, serverStep } from "../serve/server-steps.ts";
import { serviceManagerStep, type ServiceReports } from "../serve/service-manager-step.ts";
import { sentryStep } from "../serve/sentry-step.ts";
import { ticksStep } from "../serve/ticks-step.ts";
import { tracingStep } from "../serve/tracing-step.ts";
import { turnStep } from "../serve/turn-step.ts";
import { whereToListen } from "../serve/where-to-listen.ts";
import { keepTick } from "../keep-tick.ts";
import { dumpStacksOnSignal } from "../stacks/dump-stacks.ts";
import { watchdogStep } from "../serve/watchdog-step.ts";
import { settingsOf, startWatchdog } from "../stacks/watchdog.ts";
import { keepStderrWhole } from "../stderr-whole.ts";
import { takeFleetSecret } from "../workers/fleet-secret.ts";
import { takeTexts } from "../workers/generation-texts.ts";
import type { Reading } from "../workers/supervise-workers.ts";
import { builtInSettings } from "../server-settings.ts";
import { tellFailure, tellReason } from "../tell-failure.ts";
import { obeyMaster } from "../workers/obey-master.ts";
import { lostMaster } from "../workers/orphan.ts";
import { warnOfLostEinhorn } from "../workers/lost-einhorn.ts";
import { openMasterChannel } from "../workers/own-worker.ts";

/** Serves: as one process, as a master with workers, or watching the files. Each loads only what it needs. */
export async function run(host: Host, positionals: readonly string[], values: OptionValues): Promise<number> {
  if (values.reload !== undefined && !isReloadChild(host)) {
    const { superviseReload } = await import("../reload/supervisor.ts");
    return superviseReload(host, positionals, values);
  }
  const masterPid = lostMaster(host, process.send !== undefined);
  if (masterPid !== undefined) {
    const exitCode = exitCodeAfter({ kind: "start-interrupted", cause: { kind: "orphaned", masterPid }, lost: false });
    tellReason(host, `the master ${masterPid} has gone before its worker started`, exitCode);
    return exitCode;
  }
  const texts = takeTexts(host) ?? readTexts(host, positionals, values);
  const configuration = await interruptible(host, readConfiguration(host, positionals, values, undefined, texts));
  if (configuration.master.workers !== undefined && values.reload === undefined && !isWorker(host)) {
    const { superviseWorkers } = await import("../workers/supervise-workers.ts");
    const readAnew = async (cwd: string): Promise<Reading> => {
      const now = { ...host, cwd };
      const changed = readTexts(now, positionals, values);
      return { texts: changed, configuration: await readConfiguration(now, positionals, values, builtInSettings, changed) };
    };
    return superviseWorkers(host, { texts, configuration }, configuration.master.workers, readAnew);
  }
  return serveApplication(host, configuration);
}

/** How far the process is; a cause counts from when it comes, though the lifecycle hears of it a moment later. */
function phaseOf({ earliest }: Host["causes"]): "start" | "service" | "stop" {
  if (earliest !== undefined || SERVER_STATE.shutting_down) return "stop";
  return SERVER_STATE.state === "STARTING" ? "start" : "service";
}

/** What the user's own code threw, where an error of ours is wrapped round it. */
function causeOf(thrown: unknown): Error {
  return isTsserveError(thrown) && thrown.cause !== undefined ? asError(thrown.cause) : asError(thrown);
}

/** A master's child, ours or Einhorn's, serves by itself, whatever the file says of workers. */
function isWorker({ env, ppid }: Host): boolean {
  return env["EINHORN_MASTER_PID"] === String(ppid);
}

/** Serves the app in this process until there is a cause to stop; gives the exit code. */
async function serveApplication(host: Host, configuration: Configuration): Promise<number> {
  // Before anything that is the user's is loaded: what gets stuck is seen.
  const watchdog = startWatchdog(host, settingsOf(configuration, host), (signal, heard) => endStuck(host, signal, heard));
  keepTick();
  adoptEnvironment(host, configuration);
  const worker = readEinhornWorker(host.env, host);
  const master = await openMasterChannel(host);
  if (master !== undefined) {
    keepStderrWhole(host.stderr);
    obeyMaster(host, master);
  }
  await checkMetrics(configuration.metrics, configuration.folder);
  // Log. What is logged of failures may have another reader. The logger is loaded while the watchdog boots, which is waited for below.
  const { makeLogger } = await import("../make-logger.ts");
  if (configuration.sentry !== undefined) failureReports().want();
  const rootLog = makeLogger(configuration.logging, host, configuration.folder);
  const log = rootLog.child({ logger: "tsserve", ...(worker?.childIndex === undefined ? {} : { worker: worker.childIndex }) });
  // What the app's module will be called with; it is loaded by a step.
  const application = await interruptible(host, prepareApplication(configuration, rootLog, takeFleetSecret(host)));
  // The watchdog still boots: meanwhile Node's loader of ES modules is loaded, by which the app's module mostly comes, with one of Node's own;
  // and what the first listener loads (github.com/nodejs/node/blob/v24.x/lib/net.js `listenInCluster`).
  await importModule("node:fs/promises");
  process.getBuiltinModule("node:cluster");
  const guard = guardProcess({
    process: host.process,
    signals: host.signals,
    endsByUs: () => host.isEnding,
    log,
    requests: application.requests,
    phase: () => phaseOf(host.causes),
    tellFailure: (message) => void tellFailure(host, new TsserveError("ERR_TSSERVE_START", message)),
  });
  dumpStacksOnSignal(host, log, application.requests, watchdog);
  // Where to listen.
  const told = { worker, listen: configuration.listen, metrics: configuration.metrics };
  const { listeners, exporter } = await whereToListen(host, told, log);
  warnOfLostEinhorn(host, log);
  if (isReloadChild(host)) tellWrites();
  const reports = new LastReports(systemClock, (err) => log.debug({ err }, "the last reports failed"));
  let metrics: Metrics | undefined;
  let service: ServiceReports | undefined;
  // The steps, in the order in which they start; they stop in reverse.
  const start = async (begin: Begin): Promise<readonly string[]> => {
    await begin(figuresStep(master, application));
    metrics = await begin(metricsStep({ host, configuration, application, watchdog, worker, exporter, log: rootLog }));
    service = await begin(serviceManagerStep(host, configuration, log));
    await begin(stopHooksStep(application));
    await begin(watchdogStep(watchdog, host.compileCache));
    await begin(sentryStep(host, configuration, application.requests, reports, rootLog));
    const module = await begin(appModuleStep(application));
    await begin(ticksStep(log));
    const built = await begin(appStep(application, module));
    await begin(ticksStep(log));
    guard.tellHandlers();
    await begin(turnStep(host));
    const tracing = await begin(tracingStep(host, configuration, reports, rootLog));
    const server = await begin(serverStep(application, built, listeners, tracing));
    await begin(listenStep(server, host.causes));
    const ofMaster = await begin(mastersSocketsStep(master, server, application));
    await begin(acknowledgeStep(host, worker, master));
    const door = await begin(replStep(host, configuration, application, built.app, master, log));
    await begin(controlStep(host, configuration, application, { server, watchdog, door }, log));
    await begin(compileCacheStep(host.compileCache));
    metrics.of(server, ofMaster?.inbox);
    watchdog.started();
    return server.addresses?.() ?? listeners.map(({ endpoint }) => formatEndpoint(endpoint));
  };
  // Run.
  const logEvent = logEvents(log);
  const end = await runLifecycle({
    start,
    // Nobody waits for a balancer while developing.
    settings: isReloadChild(host) ? { ...configuration.lifecycle, drainTimeMs: 0 } : configuration.lifecycle,
    state: SERVER_STATE,
    clock: systemClock,
    causes: host.causes,
    signalsHurry: master === undefined,
    emit: (event: LifecycleEvent) => {
      logEvent(event);
      metrics?.tell(event);
      service?.tell(event);
      if (event.type === "step-failed") failureReports().tell({ error: causeOf(event.error), level: "fatal", owner: event.step });
      if (event.type === "step-failed") tellFailure(host, isTsserveError(event.error) ? event.error : startFailed(event.step, event.error));
    },
    requests: () => application.requests.describe(),
    exit: (code) => host.exit(code),
  });
  // Who is told of what has happened, and is slow or away, has no part in how this ends.
  await reports.send();
  // Exit code.
  return exitCodeAfter(end);
}
