import { parseConfig } from "@tsserve/config";
import {
  exitCodes,
  failureReports,
  Health,
  httpUrl,
  makeGuard,
  metricsSpec,
  SERVER_STATE,
  type AppConfig,
  type AppContext,
} from "@tsserve/server";
import type { OpenSentry, SentrySettings } from "@tsserve/telemetry";
import type { Logger } from "pino";
import { makeAppContext, StopHooks } from "../app-context.ts";
import type { AppConfiguration } from "../configuration.ts";
import type { Host } from "../host.ts";
import { loadFunction } from "../load-function.ts";
import { makeLogger } from "../make-logger.ts";
import { UsageError, type OptionValues } from "../options.ts";
import { adoptEnvironment, readAppConfiguration } from "../read-configuration.ts";
import { jobMetrics, pushMetrics } from "../script/push-metrics.ts";
import { flushMs } from "../serve/sentry-step.ts";
import { sentryOf } from "../sentry-of.ts";
import { runJob } from "../script/run-job.ts";
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
  const gateway = gatewayOf(configuration, values);
  if (values["require-push"] !== undefined && gateway === undefined)
    throw new UsageError("--require-push: expected --push URL, or metrics.push_gateway in the file");
  adoptEnvironment(host, configuration);
  const sentry = sentryOf(configuration.app, undefined, { ...configuration.fileEnvironment, ...host.env });
  if (sentry !== undefined) failureReports().want();
  const log = makeLogger(configuration.logging, host, configuration.folder);
  const reports = sentry && (await openReports(sentry, configuration, log, target));
  const { call: script } = await loadFunction(target, "the command line", configuration.folder);
  const { context, stopHooks } = contextOf(log, configuration.app.values, configuration.folder);
  const begun = performance.now();
  const end = await runJob(host, target, (signal) =>
    script(configuration.app.values, args, Object.create(context, { signal: { value: signal } })),
  );
  if (end.error !== undefined) failureReports().tell({ error: end.error, level: "fatal", owner: target });
  const outcome = { succeeded: end.succeeded, durationMs: performance.now() - begun, endedAt: Date.now() };
  await Promise.race([stopHooks.run().catch(() => undefined), giveUp()]);
  await reports?.close(flushMs);
  if (gateway === undefined) return end.exitCode;
  const job = values.job ?? target;
  try {
    await pushMetrics(gateway, job, `${await context.metrics.metrics()}${jobMetrics(outcome)}`);
  } catch (error) {
    log.error({ job, reason: (error as Error).message }, `the metrics of the job could not be pushed: ${(error as Error).message}`);
    if (values["require-push"] !== undefined && end.exitCode === exitCodes.stopped) return exitCodes.lost;
  }
  return end.exitCode;
}

/** Failures of a job have its name where those of a server have their section. */
async function openReports(settings: SentrySettings, { folder, masker }: AppConfiguration, log: Logger, job: string): Promise<OpenSentry> {
  const { reportTo } = await import("../serve/sentry-step.ts");
  return reportTo(settings, { folder, log, tags: { job }, mask: (text) => masker.mask(text), routeOf: () => undefined });
}

/** `--push` wins over the file. @throws {ConfigurationError} @throws {UsageError} */
function gatewayOf({ app }: AppConfiguration, values: OptionValues): string | undefined {
  if (values.push !== undefined) {
    try {
      return httpUrl(values.push);
    } catch (error) {
      throw new UsageError(`--push: ${(error as Error).message}, found "${values.push}"`);
    }
  }
  const own = Object.fromEntries(Object.entries(app.values).filter(([key]) => key.startsWith("metrics.")));
  return parseConfig(own, { metrics: metricsSpec }).metrics.push_gateway;
}

/** As an app's, but that nothing is served. */
function contextOf(log: Logger, config: AppConfig, folder: string): { readonly context: AppContext; readonly stopHooks: StopHooks } {
  const ownLog = log.child({ logger: "tsserve" });
  const appLog = log.child({ logger: "app" });
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
