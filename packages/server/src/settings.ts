import { availableParallelism } from "node:os";
import {
  ConfigurationError,
  boolean,
  byteSize,
  endpoint,
  integer,
  oneOf,
  optionalSetting,
  parseConfig,
  positive,
  requiredSetting,
  setting,
  unixGroup,
  unixUser,
  listenEndpoint,
  string,
  timespanOrSeconds,
  tupleOf,
  type Endpoint,
  type Parser,
  type Reader,
  type Spec,
} from "@tsserve/config";
import { sentrySpec, type SentrySpec } from "./sentry-settings.ts";
import { httpUrl, tracingSpec, type TracingSpec } from "./tracing-settings.ts";

type CommonSettings = {
  readonly factory: Reader<string>;
  readonly bind: ListenSpec["bind"];
  readonly host: ListenSpec["host"];
  readonly port: ListenSpec["port"];
  readonly backlog: ListenSpec["backlog"];
  readonly reuse_port: ListenSpec["reuse_port"];
  readonly socket_mode: ListenSpec["socket_mode"];
  readonly socket_user: ListenSpec["socket_user"];
  readonly socket_group: ListenSpec["socket_group"];
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

type MetricsSpec = {
  readonly enabled: Reader<boolean>;
  readonly endpoint: Reader<Endpoint>;
  readonly listener: Reader<number | undefined>;
  readonly page: Reader<PageAccess>;
  readonly statsd: Reader<Endpoint | undefined>;
  readonly baseplate_names: Reader<boolean>;
  readonly namespace: Reader<string>;
  readonly push_gateway: Reader<string | undefined>;
};

type ListenSpec = {
  readonly bind: Reader<readonly Endpoint[] | undefined>;
  readonly host: Reader<string | undefined>;
  readonly port: Reader<number | undefined>;
  readonly backlog: Reader<number>;
  readonly reuse_port: Reader<boolean>;
  readonly socket_mode: Reader<number>;
  readonly socket_user: Reader<number | undefined>;
  readonly socket_group: Reader<number | undefined>;
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

const port: Parser<number> = (text) => {
  const value = integer(text);
  if (value < 0 || value > 65_535) throw new Error("expected a port of 0 to 65535");
  return value;
};

/** A name or an address, with or without brackets. */
const host: Parser<string> = (text) => {
  const bare = text.trim();
  try {
    const read = endpoint(bare.includes(":") && !bare.startsWith("[") ? `[${bare}]:0` : `${bare}:0`);
    if ("host" in read) return read.host;
  } catch {
    // What an endpoint would have to be is not what is asked for here.
  }
  throw new Error("expected a name or an address, such as localhost, 0.0.0.0 or ::1; the port is a key of its own, and paths are bind's");
};

/** As `chmod` takes them. */
const permissions: Parser<number> = (text) => {
  if (!/^0?o?[0-7]{3}$/.test(text.trim())) throw new Error("expected octal permission bits such as 0660");
  return Number.parseInt(text.trim().slice(-3), 8);
};

/** The keys of `[server:…]` that say where to listen. */
export const listenSpec: ListenSpec = {
  bind: optionalSetting(
    tupleOf(listenEndpoint),
    "Where to listen: `host:port`, `:9090` (all interfaces), `[::1]:9090`, `/run/app.sock`, `fd://3` (a listening socket that the process was started with), or several, separated by commas. `--bind` wins over it. Without it, and without `host` and `port`, `localhost:9090`.",
  ),
  host: optionalSetting(host, "The host to listen on, in place of `bind`. Default where `port` is set: `localhost`."),
  port: optionalSetting(port, "The port to listen on, in place of `bind`. Default where `host` is set: 9090."),
  backlog: setting(
    positive(integer),
    "1024",
    "How many connections the kernel keeps waiting for one socket; it cuts this to its own limit (Linux: `net.core.somaxconn`).",
  ),
  reuse_port: setting(
    boolean,
    "false",
    "Whether other processes may listen at the same port, too; the kernel gives each its share. Needs Node 22.12 or later. Workers need it not.",
  ),
  socket_mode: setting(permissions, "0660", "Who may connect to the unix sockets of `bind`: permission bits, octal."),
  socket_user: optionalSetting(
    unixUser,
    "Whose the unix sockets of `bind` are: a user's name or number. Needs the right to give files away.",
  ),
  socket_group: optionalSetting(unixGroup, "The group of the unix sockets of `bind`: its name or number."),
};

/** Who is shown the page of the metrics; `auto` is who asks from this machine for a name or an address of the loopback. */
export type PageAccess = "auto" | "everybody" | "nobody";

function pageAccess(text: string): PageAccess {
  const word = text.toLowerCase();
  if (word === "auto") return "auto";
  if (word !== "true" && word !== "false") throw new Error("expected auto, true or false");
  return word === "true" ? "everybody" : "nobody";
}

/** The keys below `metrics`, in `[server:…]` or `[app:…]`. */
export const metricsSpec: MetricsSpec = {
  enabled: setting(boolean, "true", "Whether metrics are kept and exported. The keys of `metrics` may stand in `[app:…]`, too."),
  endpoint: setting(endpoint, "0.0.0.0:6060", "Where Prometheus finds `/metrics`; all workers share it."),
  listener: optionalSetting(
    integer,
    "Under Einhorn, which of the inherited sockets is the exporter's, counted from 0: `1` for the second `-b`.",
  ),
  page: setting(
    pageAccess,
    "auto",
    "Who is shown the page of the metrics at `/` of the same endpoint: `auto`, who asks from this machine for `localhost`; `true`, everybody; `false`, nobody.",
  ),
  statsd: optionalSetting(endpoint, "Where the figures of the runtime are sent as StatsD lines, too, by UDP: `HOST:PORT`."),
  namespace: setting(string, "tsserve", "What the names of the StatsD lines begin with."),
  baseplate_names: setting(
    boolean,
    "false",
    "In `[server:…]`: whether consumers of RabbitMQ also keep the metrics that baseplate.py's had, `amqp_consumer_…`. HTTP and Thrift have baseplate's names anyway.",
  ),
  push_gateway: optionalSetting(
    httpUrl,
    "Where `tsserve script` pushes the metrics of a job when it is over: the base URL of a Prometheus push gateway. Servers push nothing.",
  ),
};

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
  start_timeout: setting(timespanOrSeconds, "60 seconds", "How long a worker may take from its start until it accepts connections."),
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
