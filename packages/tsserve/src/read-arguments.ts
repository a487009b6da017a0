import { parseArgs } from "node:util";
import { didYouMean, listenEndpoint, type Endpoint, type Environment } from "@tsserve/config";
import { environmentName, options, type OptionName, type OptionValues } from "./options.ts";
import { parseArgument, UsageError } from "./usage-error.ts";

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

/** @throws {UsageError} */
export function readBinds(binds: readonly string[]): Endpoint[] {
  return (binds.length === 0 ? ["localhost:9090"] : binds).map((text) => parseArgument("--bind", text, listenEndpoint));
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
