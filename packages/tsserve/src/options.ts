/** An option of the command line; the environment variable `TSSERVE_NAME` says the same. */
export interface Option {
  readonly type: "string" | "boolean";
  /** What stands for the value in the help. */
  readonly value?: string;
  readonly help: string;
  readonly multiple?: boolean;
  /** One letter that says the same. */
  readonly short?: string;
}

export type OptionName =
  | "app-name"
  | "server-name"
  | "bind"
  | "reload"
  | "debug"
  | "log-level"
  | "log-format"
  | "env-file"
  | "probe"
  | "timeout"
  | "i64"
  | "include"
  | "workers"
  | "socket"
  | "json"
  | "schema"
  | "no-wait"
  | "name"
  | "image"
  | "replicas"
  | "hpa"
  | "monitor"
  | "helm"
  | "output"
  | "job"
  | "push"
  | "require-push"
  | "worker"
  | "seconds"
  | "format"
  | "force"
  | "now";

/** All options there are; each command says which it takes. */
export const options: Readonly<Record<OptionName, Option>> = {
  "app-name": { type: "string", value: "NAME", help: "which [app:NAME] section to use (default main)" },
  "server-name": { type: "string", value: "NAME", help: "which [server:NAME] section to use (default main)" },
  bind: {
    type: "string",
    value: "ENDPOINT",
    help: "where to listen, may repeat (default localhost:9090); :9090, [::1]:9090, /run/app.sock; 0.0.0.0:* has the file's ports",
    multiple: true,
  },
  reload: { type: "boolean", help: "restart when the source or the INI file changes; for development only" },
  debug: { type: "boolean", help: "log level debug" },
  "log-level": { type: "string", value: "LEVEL", help: "trace, debug, info, warn, error, fatal or silent (default info)" },
  "log-format": { type: "string", value: "FORMAT", help: "json or pretty (default: pretty on a terminal)" },
  "env-file": { type: "string", value: "FILE", help: "variables for $NAME in the INI file, and for the app; the real environment wins" },
  probe: { type: "string", value: "PROBE", help: "readiness, liveness or startup (default readiness)" },
  timeout: { type: "string", value: "TIMESPAN", help: "how long to wait for the answer (default 1 second)" },
  workers: { type: "string", value: "N", help: "serve with so many worker processes, or auto: one for each core" },
  socket: { type: "string", value: "PATH", help: "the master's control socket" },
  schema: { type: "boolean", help: "print a JSON schema of the file's sections, for editors; nothing of the app is loaded" },
  json: { type: "boolean", help: "print JSON" },
  "no-wait": { type: "boolean", help: "do not wait for the end of an upgrade" },
  name: { type: "string", value: "NAME", help: "what the service is called (default: as its package)" },
  image: { type: "string", value: "IMAGE", help: "the image of the pods (default NAME:latest)" },
  replicas: { type: "string", value: "N", help: "how many pods (default 2)" },
  hpa: { type: "string", value: "KIND", help: "scale by cpu, by elu (event loops; needs a metrics adapter) or by keda (queues)" },
  monitor: { type: "string", value: "KIND", help: "for Prometheus's operator: pod or service" },
  helm: { type: "string", value: "DIR", help: "write a Helm chart into this new folder, print nothing" },
  output: { type: "string", value: "PATH", help: "where to write; nothing is overwritten", short: "o" },
  job: { type: "string", value: "NAME", help: "what the job is called where its metrics are pushed (default MODULE:FUNCTION)" },
  push: { type: "string", value: "URL", help: "push the job's metrics to this Prometheus push gateway" },
  "require-push": { type: "boolean", help: "fail when the metrics can't be pushed" },
  worker: { type: "string", value: "N", help: "which worker (default: of a profile, the one that says most)" },
  seconds: { type: "string", value: "N", help: "how long a profile takes (default 10)" },
  format: { type: "string", value: "FORMAT", help: "of a profile: cpuprofile, pprof or html, which is a flame graph (default: V8's own)" },
  force: { type: "boolean", help: "take a heap snapshot though memory is short" },
  now: { type: "boolean", help: "cut what is in progress, rather than wait for it" },
  i64: { type: "string", value: "TYPE", help: "what an i64 is: bigint or number, as loadService was told (default bigint)" },
  include: {
    type: "string",
    value: "FOLDER",
    short: "I",
    multiple: true,
    help: "where to look for includes after the folder of what includes them, may repeat",
  },
};

/** What a user asked for on the command line or in the environment; the command line wins. */
export type OptionValues = { readonly [K in OptionName]?: string | undefined } & {
  readonly binds: readonly string[];
  readonly includes: readonly string[];
};

/** `TSSERVE_LOG_LEVEL` for `log-level`. */
export function environmentName(name: OptionName): string {
  return `TSSERVE_${name.toUpperCase().replaceAll("-", "_")}`;
}
