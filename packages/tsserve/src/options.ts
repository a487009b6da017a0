import { parseArgs } from "node:util";
import { didYouMean, listenEndpoint, TsserveError, type Endpoint, type Environment } from "@tsserve/config";

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

/** The command line is wrong; the message says how. */
export class UsageError extends TsserveError {
  override readonly name = "UsageError";

  constructor(message: string) {
    super("ERR_TSSERVE_USAGE", message);
  }
}

export interface ParsedArguments {
  readonly positionals: readonly string[];
  readonly values: OptionValues;
  /** Whether `--help` or `--version` was among them. */
  readonly help: boolean;
  readonly version: boolean;
}

/**
 * Reads the arguments of one command.
 *
 * @param known the options that the command takes
 * @param ownPositionals after so many positional arguments, the rest is another program's, options and all
 * @throws {UsageError}
 */
export function readArguments(
  args: readonly string[],
  known: readonly OptionName[],
  env: Environment,
  ownPositionals: number = Number.POSITIVE_INFINITY,
): ParsedArguments {
  const spec = Object.fromEntries(
    known.map((name) => {
      const { type, short } = options[name];
      return [name, { type, multiple: true, ...(short === undefined ? {} : { short }) }];
    }),
  );
  const config = { ...spec, help: { type: "boolean", short: "h", multiple: true }, version: { type: "boolean", multiple: true } } as const;
  const { tokens } = parseArgs({ args: [...args], options: config, strict: false, allowPositionals: true, tokens: true });
  const given = new Map<string, string[]>();
  const positionals: string[] = [];
  for (const token of tokens) {
    if (positionals.length >= ownPositionals) {
      positionals.push(...args.slice(token.index));
      break;
    }
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    const option: { type: string } | undefined = Object.hasOwn(config, token.name) ? config[token.name as "help"] : undefined;
    if (option === undefined) throw unknownOption(token.rawName, known);
    if (option.type === "string" && (token.value === undefined || token.value === ""))
      throw new UsageError(`${token.rawName} lacks its value`);
    if (option.type === "boolean" && token.value !== undefined)
      throw new UsageError(`${token.rawName} takes no value, found "${token.value}"`);
    given.set(token.name, [...(given.get(token.name) ?? []), token.value ?? "true"]);
  }
  const values = Object.fromEntries(known.map((name) => [name, given.get(name)?.at(-1) ?? fromEnvironment(name, env)]));
  const binds = given.get("bind") ?? listIn(env, "bind", ",");
  const includes = given.get("include") ?? listIn(env, "include", ":");
  return { positionals, values: { ...values, binds, includes }, help: given.has("help"), version: given.has("version") };
}

function unknownOption(rawName: string, known: readonly OptionName[]): UsageError {
  const guess = didYouMean(
    rawName,
    [...known, "help", "version"].map((name) => `--${name}`),
  );
  return new UsageError(`unknown option ${rawName}${guess}`);
}

function fromEnvironment(name: OptionName, env: Environment): string | undefined {
  const variable = environmentName(name);
  const value = variableOf(env, variable) ?? variableOf(env, imageVariables[name]);
  if (value === undefined || value === "") return undefined;
  if (options[name].type === "string") return value;
  if (/^(true|1)$/i.test(value)) return "true";
  if (/^(false|0)$/i.test(value)) return undefined;
  throw new UsageError(`${variable}: expected true or false, found "${value}"`);
}

/** What one image runs as, by variables without a prefix: a `[server:…]` and an `[app:…]` of one name, and its workers. */
const imageVariables: { readonly [Name in OptionName]?: string } = {
  "server-name": "WORKER_TYPE",
  "app-name": "WORKER_TYPE",
  workers: "WORKER_COUNT",
};

function variableOf(env: Environment, name: string | undefined): string | undefined {
  const value = name !== undefined && Object.hasOwn(env, name) ? env[name] : undefined;
  return value === "" ? undefined : value;
}

/**
 * The file that `CONFIG_NAME` names, for an image that is started without arguments: `configs/NAME.ini`.
 *
 * @throws {UsageError} when it is no name
 */
export function fileOfImage(env: Environment): string | undefined {
  const name = variableOf(env, "CONFIG_NAME");
  if (name === undefined) return undefined;
  if (!/^\w[\w.-]*$/.test(name))
    throw new UsageError(`CONFIG_NAME: expected the name of a file of configs/ without its ending, found "${name}"`);
  return `configs/${name}.ini`;
}

/** What repeats on the command line is a list in its variable. */
function listIn(env: Environment, name: OptionName, separator: string): string[] {
  const text = Object.hasOwn(env, environmentName(name)) ? env[environmentName(name)] : undefined;
  return (text ?? "")
    .split(separator)
    .map((each) => each.trim())
    .filter((each) => each !== "");
}

/** `TSSERVE_LOG_LEVEL` for `log-level`. */
export function environmentName(name: OptionName): string {
  return `TSSERVE_${name.toUpperCase().replaceAll("-", "_")}`;
}

/** @throws {UsageError} */
export function readBinds(binds: readonly string[]): Endpoint[] {
  return (binds.length === 0 ? ["localhost:9090"] : binds).map((text) => {
    try {
      return listenEndpoint(text);
    } catch (error) {
      throw new UsageError(`--bind: ${(error as Error).message}, found "${text}"`);
    }
  });
}

/**
 * Whether JSON is asked for on the command line or in the environment, for what is told before, or because, the arguments
 * can't be read.
 */
export function asksForJson(args: readonly string[], env: Environment): boolean {
  const index = args.findLastIndex((arg) => /^--log-format(?:=|$)/.test(arg));
  const found = args[index];
  if (found === undefined) return env["TSSERVE_LOG_FORMAT"] === "json";
  return (found.includes("=") ? found.slice(found.indexOf("=") + 1) : args[index + 1]) === "json";
}
