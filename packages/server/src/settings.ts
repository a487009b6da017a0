import { availableParallelism } from "node:os";
import {
  ConfigurationError,
  boolean,
  byteSize,
  integer,
  oneOf,
  optionalSetting,
  parseConfig,
  positive,
  requiredSetting,
  setting,
  string,
  timespanOrSeconds,
  tupleOf,
  type Parser,
  type Reader,
  type Spec,
} from "@tsserve/config";
import { listenSpec, type ListenSpec } from "./listen-settings.ts";
import { metricsSpec, type MetricsSpec } from "./metrics-settings.ts";
import { sentrySpec, type SentrySpec } from "./sentry-settings.ts";
import { tracingSpec, type TracingSpec } from "./tracing-settings.ts";

type CommonSettings = ListenSpec & {
  readonly factory: Reader<string>;
  readonly drain_time: Reader<number>;
  readonly stop_timeout: Reader<number>;
  readonly termination_grace_period_seconds: Reader<number | undefined>;
  readonly workers: Reader<number | undefined>;
  readonly upgrade: Reader<"smooth" | "fleet">;
  readonly start_timeout: Reader<number>;
  readonly control_socket: Reader<string | undefined>;
  readonly notify: Reader<"auto" | "systemd" | "off">;
  readonly control_repl: Reader<boolean>;
  readonly profile_dir: Reader<string | undefined>;
  readonly max_requests: Reader<number | undefined>;
  readonly max_requests_jitter: Reader<number>;
  readonly max_age: Reader<number | undefined>;
  readonly max_memory: Reader<number | undefined>;
  readonly worker_timeout: Reader<number | undefined>;
  readonly watcher: {
    readonly ignored_dirs: Reader<readonly string[] | undefined>;
    readonly watched_file_endings: Reader<readonly string[] | undefined>;
  };
  readonly metrics: MetricsSpec;
  readonly tracing: TracingSpec;
  readonly sentry: SentrySpec;
  readonly monitoring: {
    readonly blocked_hub: Reader<number | undefined>;
    readonly concurrency: Reader<boolean>;
    readonly connection_pool: Reader<boolean>;
    readonly gc: { readonly stats: Reader<boolean>; readonly timing: Reader<boolean>; readonly refcycle: Reader<string | undefined> };
  };
};

const mostWorkers = 1024;

/** A number of worker processes, or `auto`: one for each core. */
export const workerCount: Parser<number> = (text) => {
  if (text.trim().toLowerCase() === "auto") return availableParallelism();
  const count = Number(text);
  if (!/^\d+$/.test(text.trim()) || count < 1 || count > mostWorkers)
    throw new Error(`expected a number from 1 to ${mostWorkers}, or auto`);
  return count;
};

function atLeast(least: number, parser: Parser<number>, written: string): Parser<number> {
  return (text) => {
    const value = parser(text);
    if (value < least) throw new Error(`expected at least ${written}`);
    return value;
  };
}

/** The keys of `[server:…]` that every server factory has. */
export const commonSettings: CommonSettings = {
  factory: requiredSetting(
    string,
    "The server factory: a package or package subpath, or a path from this file's folder, and `:NAME` unless the name is `makeServer`.",
  ),
  ...listenSpec,
  drain_time: setting(
    timespanOrSeconds,
    "0 seconds",
    "After the stop signal, how long to serve on while readiness already fails, so that balancers turn away.",
  ),
  stop_timeout: setting(timespanOrSeconds, "10 seconds", "After the drain, how long requests in progress may take before they are cut."),
  termination_grace_period_seconds: optionalSetting(
    positive(integer),
    "How long what runs the process waits between SIGTERM and SIGKILL, such as Kubernetes' setting of that name. It has to leave 2 seconds beyond `drain_time` and `stop_timeout`; `tsserve k8s` derives it where it is absent.",
  ),
  workers: optionalSetting(
    workerCount,
    "How many worker processes serve behind a master of our own, or `auto`: one for each core. Without it, this process serves itself. `--workers` says the same.",
  ),
  upgrade: setting(
    oneOf({ smooth: "smooth", fleet: "fleet" }),
    "smooth",
    "How the master replaces workers at an upgrade: `smooth`, one after the other, or `fleet`, all at once when all new ones are up.",
  ),
  start_timeout: setting(
    positive(timespanOrSeconds),
    "60 seconds",
    "How long a worker may take from its start until it accepts connections.",
  ),
  control_socket: optionalSetting(
    string,
    "The unix socket where the master is commanded with `tsserve ctl`, as a path from this file's folder. Default: one in the folder for temporary files, which the log names.",
  ),
  notify: setting(
    oneOf({ auto: "auto", systemd: "systemd", off: "off", false: "off" }),
    "auto",
    "Who is told of readiness, upgrades and the stop: `auto`, systemd where it asks for it (Type=notify, by NOTIFY_SOCKET); `systemd`, with a warning where it does not; `off`, nobody.",
  ),
  control_repl: setting(
    boolean,
    "false",
    "Whether `tsserve ctl repl` may talk to a running worker: whoever may use the control socket can then run any code in it. Every line is logged.",
  ),
  profile_dir: optionalSetting(
    string,
    "Where `tsserve ctl profile` has its files written, as a path from this file's folder. Default: the folder for temporary files.",
  ),
  max_requests: optionalSetting(
    positive(integer),
    "After so many requests a worker is replaced, once another one is up in its place. One worker at a time.",
  ),
  max_requests_jitter: setting(integer, "0", "Up to so many requests more, drawn for each worker: else all would be replaced at once."),
  max_age: optionalSetting(positive(timespanOrSeconds), "A worker of this age is replaced, as by `max_requests`."),
  max_memory: optionalSetting(
    positive(byteSize),
    "A worker whose resident memory is as large is replaced, as by `max_requests`; in bytes or as 512M, 2G.",
  ),
  worker_timeout: optionalSetting(
    atLeast(2000, timespanOrSeconds, "2 seconds"),
    "A worker whose event loop stands still for so long is reported with its stack, replaced, and killed. At least 2 seconds.",
  ),
  watcher: {
    ignored_dirs: optionalSetting(
      tupleOf(string),
      "Under `--reload`, folders whose changes do not restart the app, beside node_modules, coverage and those that begin with a dot: names, or paths from this file's folder.",
    ),
    watched_file_endings: optionalSetting(
      tupleOf(string),
      "Under `--reload`, the endings of files whose changes restart the app, beside those of sources: `html, .graphql`, with or without the dot.",
    ),
  },
  metrics: metricsSpec,
  tracing: tracingSpec,
  sentry: sentrySpec,
  monitoring: {
    blocked_hub: optionalSetting(
      positive(timespanOrSeconds),
      "Each time that the event loop stands still for longer, this is observed with its duration, and the log has the stack that blocks it.",
    ),
    concurrency: setting(boolean, "true", "Whether open connections and requests in progress are reported."),
    connection_pool: setting(boolean, "false", "Whether the connection pools that the app registered are reported."),
    gc: {
      stats: setting(boolean, "true", "Whether garbage collections are counted, and memory is reported."),
      timing: setting(boolean, "false", "Whether the durations of garbage collections are observed."),
      refcycle: optionalSetting(
        string,
        "For debugging: a folder, from this file's, where every ten seconds a picture is written of what was allocated and is still there.",
      ),
    },
  },
};

export interface LifecycleSettings {
  readonly drainTimeMs: number;
  readonly stopTimeoutMs: number;
  /** What the outside grants between the stop signal and SIGKILL, in seconds, where that is written. */
  readonly gracePeriodSeconds?: number | undefined;
}

/** What a process may need beyond its drain and its stop: hooks that overrun, logs that are written. */
const leastMarginSeconds = 2;

/**
 * @param own the keys of the server factory: one of them may give `stop_timeout` another default
 * @throws {ConfigurationError} also when the process would be killed before its stop is over
 */
export function lifecycleSettings(raw: Readonly<Record<string, string>>, own: Readonly<Record<string, Spec>> = {}): LifecycleSettings {
  const stopTimeout = (own["stop_timeout"] as Reader<number> | undefined) ?? commonSettings.stop_timeout;
  const parsed = parseConfig(raw, { ...commonSettings, stop_timeout: stopTimeout });
  const { drain_time: drainTimeMs, stop_timeout: stopTimeoutMs, termination_grace_period_seconds: gracePeriodSeconds } = parsed;
  const neededSeconds = (drainTimeMs + stopTimeoutMs) / 1000 + leastMarginSeconds;
  if (gracePeriodSeconds !== undefined && gracePeriodSeconds < neededSeconds) {
    const message = `expected at least ${Math.ceil(neededSeconds)}: drain_time, stop_timeout and ${leastMarginSeconds} seconds more, or the process is killed while it stops`;
    const key = "termination_grace_period_seconds";
    throw new ConfigurationError([{ key, message, value: raw[key] }]);
  }
  return { drainTimeMs, stopTimeoutMs, gracePeriodSeconds };
}
