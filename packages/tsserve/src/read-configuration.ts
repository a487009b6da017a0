import { readFileSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { parseEnv } from "node:util";
import { ConfigurationError, parseIni, resolveSection, type IniDocument, type Problem, type ResolvedSection } from "@tsserve/config";
import { lifecycleSettings, type LifecycleSettings } from "@tsserve/server";
import type { Host } from "./host.ts";
import { loggingSettings, type LoggingSettings } from "./logging-settings.ts";
import { UsageError, type OptionValues } from "./options.ts";

/** A configuration file, read for one app and one server. */
export interface Configuration {
  /** As the user wrote it, for messages. */
  readonly file: string;
  /** From which modules are resolved. */
  readonly folder: string;
  readonly server: ResolvedSection;
  readonly app: ResolvedSection;
  readonly lifecycle: LifecycleSettings;
  readonly logging: LoggingSettings;
}

/**
 * Reads the file and everything in it that needs no module.
 *
 * @throws {ConfigurationError} with every problem of the file
 * @throws {UsageError} when a file of the command line can't be read
 */
export function readConfiguration(host: Host, positionals: readonly string[], values: OptionValues): Configuration {
  const file = onlyFile(positionals);
  loadEnvironmentFile(host, values);
  const document = parseIni(readText(host, file, "the configuration file"), file);
  const problems: Problem[] = [];
  const server = gather(problems, () => resolveSection(document, `server:${values["server-name"] ?? "main"}`, host.env));
  const app = gather(problems, () => resolveSection(document, `app:${values["app-name"] ?? "main"}`, host.env));
  const lifecycle = server && gather(problems, () => lifecycleSettings(server.values), server);
  const logging = gather(problems, () => readLogging(document, host, values));
  if (server !== undefined) requireFactory(server, problems);
  if (app !== undefined) requireFactory(app, problems);
  if (!server || !app || !lifecycle || !logging || problems.length > 0) throw new ConfigurationError(distinct(problems));
  return { file, folder: dirname(resolve(host.cwd, file)), server, app, lifecycle, logging };
}

/** What `script` needs: it has no server. @throws {ConfigurationError} */
export function readAppConfiguration(host: Host, file: string, values: OptionValues): Pick<Configuration, "file" | "folder" | "app" | "logging"> {
  loadEnvironmentFile(host, values);
  const document = parseIni(readText(host, file, "the configuration file"), file);
  const app = resolveSection(document, `app:${values["app-name"] ?? "main"}`, host.env);
  return { file, folder: dirname(resolve(host.cwd, file)), app, logging: readLogging(document, host, values) };
}

function readLogging(document: IniDocument, host: Host, values: OptionValues): LoggingSettings {
  const section = document.sections.has("logging") ? resolveSection(document, "logging", host.env) : undefined;
  return located(section, () => loggingSettings(section?.values ?? {}, values, host.stdoutIsTerminal));
}

/** Runs a parse; its problems get their place in the file. */
export function located<T>(section: ResolvedSection | undefined, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof ConfigurationError && section !== undefined) throw new ConfigurationError(section.locate(error.problems));
    throw error;
  }
}

function gather<T>(problems: Problem[], parse: () => T, section?: ResolvedSection): T | undefined {
  try {
    return located(section, parse);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    problems.push(...error.problems);
    return undefined;
  }
}

function requireFactory(section: ResolvedSection, problems: Problem[]): void {
  if ((section.values["factory"] ?? "") !== "") return;
  const example = section.name.startsWith("server:") ? "tsserve/http" : "./app.js:makeApp";
  problems.push(...section.locate([{ key: "factory", message: `a value is required, such as ${example}`, value: undefined }]));
}

/** The same key may be found wanting twice: by its spec, and by what it is for. The last word is the clearer. */
function distinct(problems: readonly Problem[]): Problem[] {
  return [...new Map(problems.map((problem) => [`${problem.section} ${problem.key} ${problem.line} ${problem.key === "" ? problem.message : ""}`, problem])).values()];
}

function onlyFile([file, ...rest]: readonly string[]): string {
  if (file === undefined) throw new UsageError("expected a configuration file: tsserve CONFIG.ini");
  if (rest.length > 0) throw new UsageError(`expected one configuration file, found ${[file, ...rest].join(" ")}`);
  return file;
}

/** The real environment wins, as it does for Node's own --env-file; the app sees the variables too. */
function loadEnvironmentFile(host: Host, values: OptionValues): void {
  const file = values["env-file"];
  if (file === undefined) return;
  for (const [name, value] of Object.entries(parseEnv(readText(host, file, "--env-file")))) host.env[name] ??= value;
}

function readText(host: Host, file: string, what: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(resolve(host.cwd, file));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason = { ENOENT: "there is no such file", EISDIR: "it is a folder", EACCES: "permission denied" }[code ?? ""] ?? (error as Error).message;
    throw new UsageError(`cannot read ${what} ${file}: ${reason}`);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new UsageError(`cannot read ${what} ${basename(file)}: it is not UTF-8 text`);
  }
}
