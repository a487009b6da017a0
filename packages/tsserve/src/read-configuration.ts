import { readFileSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import {
  makeAppConfiguration,
  makeConfiguration,
  type AppConfiguration,
  type Configuration,
  type ConfigurationSource,
} from "./configuration.ts";
import type { Host } from "./host.ts";
import type { OptionValues } from "./options.ts";
import { UsageError } from "./usage-error.ts";
import { serverSettings } from "./server-settings.ts";

/** What the files held that a configuration is made from. */
export interface FileTexts {
  readonly configuration: string;
  /** `undefined` where the command line names no environment file. */
  readonly environment: string | undefined;
}

/** @throws {UsageError} when a file of the command line can't be read, or there is not one configuration file */
export function readTexts(host: Pick<Host, "cwd">, positionals: readonly string[], values: OptionValues): FileTexts {
  return textsOf(host, onlyFile(positionals), values);
}

function textsOf(host: Pick<Host, "cwd">, file: string, values: OptionValues): FileTexts {
  const environmentFile = values["env-file"];
  return {
    configuration: readText(host, file, "the configuration file"),
    environment: environmentFile === undefined ? undefined : readText(host, environmentFile, "--env-file"),
  };
}

/**
 * Reads the configuration file and the environment file that the command line names. The environment of the process
 * stays as it is: see `adoptEnvironment`.
 *
 * @param settingsOf asks a server factory for its keys; by default its module is loaded for that
 * @param texts what the files held; by default they are read
 * @throws {ConfigurationError} with every problem of the file
 * @throws {TsserveError} when the server factory can't be asked for its keys, and nothing else is wrong
 * @throws {UsageError} when a file of the command line can't be read, or an option is wrong
 */
export async function readConfiguration(
  host: Host,
  positionals: readonly string[],
  values: OptionValues,
  settingsOf: ConfigurationSource["serverSettings"] = serverSettings,
  texts?: FileTexts,
): Promise<Configuration> {
  return makeConfiguration({ ...(await readSource(host, onlyFile(positionals), values, texts)), serverSettings: settingsOf });
}

/** What `script` needs: it has no server. @throws as `readConfiguration` does */
export async function readAppConfiguration(host: Host, file: string, values: OptionValues): Promise<AppConfiguration> {
  return makeAppConfiguration(await readSource(host, file, values));
}

/**
 * Lets the app see the variables of the environment file. The real environment wins, as it does for Node's own
 * `--env-file`. A master does not call it: each worker does so itself.
 */
export function adoptEnvironment(host: Host, { fileEnvironment }: Pick<Configuration, "fileEnvironment">): void {
  for (const [name, value] of Object.entries(fileEnvironment)) host.env[name] ??= value;
}

/** All that a configuration is made from, but for what the server factory says. @throws {UsageError} when a file can't be read */
export async function readSource(
  host: Host,
  file: string,
  values: OptionValues,
  texts: FileTexts = textsOf(host, file, values),
): Promise<Omit<ConfigurationSource, "serverSettings">> {
  return {
    file,
    folder: dirname(resolve(host.cwd, file)),
    cwd: host.cwd,
    text: texts.configuration,
    environment: { ...host.env },
    fileEnvironment: await readVariables(host, values, texts),
    values,
    masker: host.masker,
    stdoutIsTerminal: host.stdoutIsTerminal,
  };
}

function onlyFile([file, ...rest]: readonly string[]): string {
  if (file === undefined) throw new UsageError("expected a configuration file: tsserve CONFIG.ini");
  if (rest.length > 0) throw new UsageError(`expected one configuration file, found ${[file, ...rest].join(" ")}`);
  return file;
}

async function readVariables(host: Host, values: OptionValues, texts: FileTexts): Promise<Readonly<Record<string, string>>> {
  const { environment: text } = texts;
  const file = values["env-file"];
  if (file === undefined || text === undefined) return {};
  // Few have such a file: its readers are loaded where there is one.
  const { readEnvironmentFile } = await import("@tsserve/config/environment-file");
  return readEnvironmentFile(text, file, host.env);
}

function readText(host: Pick<Host, "cwd">, file: string, what: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(resolve(host.cwd, file));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason =
      { ENOENT: "there is no such file", EISDIR: "it is a folder", EACCES: "permission denied" }[code ?? ""] ?? (error as Error).message;
    throw new UsageError(`cannot read ${what} ${file}: ${reason}`);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new UsageError(`cannot read ${what} ${basename(file)}: it is not UTF-8 text`);
  }
}
