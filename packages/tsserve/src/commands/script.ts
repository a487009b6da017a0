import {
  exitCodes,
  failureReports,
  Health,
  httpUrl,
  makeGuard,
  SERVER_STATE,
  systemClock,
  traceScope,
  type AppConfig,
  type AppContext,
  type RequestTrace,
} from "@tsserve/server";
import type { OpenTracing } from "@tsserve/telemetry";
import type { Logger } from "pino";
import { makeAppContext, StopHooks } from "../app-context.ts";
import type { AppConfiguration } from "../configuration.ts";
import type { Host } from "../host.ts";
import { loadFunction } from "../load-function.ts";
import { makeLogger } from "../make-logger.ts";
import type { OptionValues } from "../options.ts";
import { parseArgument, UsageError } from "../usage-error.ts";
import { adoptEnvironment, readAppConfiguration } from "../read-configuration.ts";
import { LastReports } from "../reports/last-reports.ts";
import { followExit } from "../script/follow-exit.ts";
import { jobMetrics } from "../script/push-metrics.ts";
import { pushWith } from "../script/push-outcome.ts";
import { runJob } from "../script/run-job.ts";
import { spanOfJob, traceOfJob } from "../script/trace-job.ts";
import { giveUp } from "../with-application.ts";

/** What a script is handed beside the app's options and its arguments. */
export interface ScriptContext extends AppContext {
  /** Aborts when the script is told to stop, by SIGTERM or SIGINT; it then has ten seconds to end. */
  readonly signal: AbortSignal;
}

/** Runs a one-off function with the app's configuration: `fn(config, args, context)`. */
export async function run(host: Host, [file, target, ...args]: readonly string[], values: OptionValues): Promise<number> {
  if (file === undefined || target === undefined) throw new UsageError("expected tsserve script CONFIG.ini MODULE:FUNCTION [args…]");
  const configuration = await readAppConfiguration(host, file, values);
  const { folder, app } = configuration;
  const gateway = values.push === undefined ? configuration.pushGateway : parseArgument("--push", values.push, httpUrl);
  const mustPush = values["require-push"] !== undefined;
  if (mustPush && gateway === undefined) throw new UsageError("--require-push: expected --push URL, or metrics.push_gateway in the file");
  adoptEnvironment(host, configuration);
  if (configuration.sentry !== undefined) failureReports().want();
  const log = makeLogger(configuration.logging, host, folder);
  const reports = new LastReports(systemClock, (err) => log.debug({ err }, "the last reports failed"));
  await openReports(configuration, log, target, reports);
  const { call: script } = await loadFunction(target, "the command line", folder);
  const name = values.job ?? target;
  const trace = traceOfJob(host.env);
  // After the module is loaded, so that a tracer provider of its own is seen.
  const tracing = await openJobTraces(host, configuration, log, reports);
  const isKnown = tracing !== undefined || trace.isNew !== true;
  const ids = isKnown ? { trace_id: trace.traceId, span_id: trace.spanId } : {};
  const { context, stopHooks } = contextOf(log, ids, app.values, folder);
  const isRecorded = tracing?.records(trace) === true;
  const endFollowing = followExit(host, log, () => ({ hooks: stopHooks.size, isRecorded, gateway, mustPush }));
  const startedAt = performance.now();
  const inTrace = inTraceOf(trace, tracing);
  const end = await runJob(host, target, (signal) =>
    inTrace(() => script(app.values, args, Object.create(context, { signal: { value: signal } }))),
  );
  const endedAt = performance.now();
  tracing?.leave(trace);
  if (isRecorded) tracing.record(spanOfJob({ name, trace, startedAt, endedAt, end }));
  const { traceId, spanId } = isKnown ? trace : {};
  if (end.error !== undefined) failureReports().tell({ error: end.error, level: "fatal", owner: target, traceId, spanId });
  const outcome = { succeeded: end.succeeded, durationMs: endedAt - startedAt, endedAt: Date.now() };
  await Promise.race([stopHooks.run().catch(() => undefined), giveUp()]);
  const text = async (): Promise<string> => `${await context.metrics.metrics()}${jobMetrics(outcome)}`;
  const push = gateway === undefined ? undefined : pushWith(reports, { gateway, job: name, text });
  await reports.send();
  endFollowing();
  if (push?.problem === undefined) return end.exitCode;
  log.error({ job: name, reason: push.problem }, `the metrics of the job could not be pushed: ${push.problem}`);
  return mustPush && end.exitCode === exitCodes.stopped ? exitCodes.lost : end.exitCode;
}

/** Failures of a job have its name where those of a server have their section. */
async function openReports({ sentry, folder, masker }: AppConfiguration, log: Logger, job: string, reports: LastReports): Promise<void> {
  if (sentry === undefined) return;
  const { reportFailures } = await import("../reports/report-failures.ts");
  const mask = (text: string): string => masker.mask(text);
  const opened = await reportFailures(sentry, { folder, log, tags: { job }, mask, routeOf: () => undefined });
  reports.add(() => opened.close());
}

async function openJobTraces(
  host: Host,
  { tracing: settings, folder, masker }: AppConfiguration,
  log: Logger,
  reports: LastReports,
): Promise<OpenTracing | undefined> {
  if (settings === undefined) return undefined;
  const { openTraces } = await import("../reports/open-traces.ts");
  const opened = await openTraces(host, settings, { folder, masker, log, resource: {}, keepsContext: true });
  reports.add(() => opened.close());
  return opened;
}

/** Runs a job so that its own spans, and what it asks of others, belong to its trace. */
function inTraceOf(trace: RequestTrace, tracing: OpenTracing | undefined): <T>(work: () => T) => T {
  const scope = traceScope();
  if (tracing !== undefined || trace.isNew !== true) scope.want();
  const scoped = <T>(work: () => T): T => scope.run(() => trace, work);
  return (work) => (tracing === undefined ? scoped(work) : tracing.run(trace, () => scoped(work), "internal"));
}

/** As an app's, but that nothing is served. */
function contextOf(
  log: Logger,
  ids: object,
  config: AppConfig,
  folder: string,
): { readonly context: AppContext; readonly stopHooks: StopHooks } {
  const ownLog = log.child({ logger: "tsserve" });
  const appLog = log.child({ logger: "app", ...ids });
  const guard = makeGuard((owner, err) => ownLog.error({ owner, err }, `${owner} failed`));
  const stopHooks = new StopHooks(guard);
  const context = makeAppContext({
    config,
    log: appLog,
    guard,
    stopHooks,
    health: new Health(SERVER_STATE, (err, probe, owner) => ownLog.warn({ err, probe, owner }, "a health check failed")),
    pools: new Map(),
    poolMaxima: new Map(),
    folder,
    fastifyOptions: () => ({ loggerInstance: appLog }),
  });
  return { context, stopHooks };
}
