import { readFileSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { parseEnv } from "node:util";
import {
  ConfigurationError,
  isConfigurationError,
  isTsserveError,
  parseConfig,
  parseIni,
  resolveSection,
  unknownKeys,
  type IniDocument,
  type Problem,
  type ResolvedSection,
  type Spec,
  type TsserveError,
} from "@tsserve/config";
import { commonSettings, lifecycleSettings, type LifecycleSettings, type ServerModuleExtras } from "@tsserve/server";
import type { Host } from "./host.ts";
import { loadFunction, type LoadedFunction } from "./load-function.ts";
import { loggingSettings, loggingSpec, type LoggingSettings } from "./logging-settings.ts";
import { metricsSettings, type MetricsSettings } from "./metrics/metrics-settings.ts";
import { monitoringSettings, type MonitoringSettings } from "./metrics/monitoring-settings.ts";
import { UsageError, type OptionValues } from "./options.ts";

/** A configuration file, read for one app and one server. */
export interface Configuration {
  /** As the user wrote it, for messages. */
  readonly file: string;
  /** From which modules are resolved. */
  readonly folder: string;
  readonly server: ResolvedSection;
  readonly app: ResolvedSection;
  readonly serverFactory: LoadedFunction;
  readonly lifecycle: LifecycleSettings;
  readonly logging: LoggingSettings;
  readonly metrics: MetricsSettings;
  readonly monitoring: MonitoringSettings;
}

/**
 * Reads the file. The server factory's module is loaded, because it says which settings there are; the
 * app's is not.
 *
 * @throws {ConfigurationError} with every problem of the file
 * @throws {TsserveError} when the server factory can't be loaded, and nothing else is wrong
 * @throws {UsageError} when a file of the command line can't be read
 */
export async function readConfiguration(host: Host, positionals: readonly string[], values: OptionValues): Promise<Configuration> {
  const file = onlyFile(positionals);
  loadEnvironmentFile(host, values);
  const folder = dirname(resolve(host.cwd, file));
  const document = parseIni(readText(host, file, "the configuration file"), file);
  const problems: Problem[] = [];
  const server = gather(problems, () =>
    requireFactory(resolveSection(document, `server:${values["server-name"] ?? "main"}`, host.env), problems),
  );
  const app = gather(problems, () => requireFactory(resolveSection(document, `app:${values["app-name"] ?? "main"}`, host.env), problems));
  const lifecycle = server && gather(problems, () => lifecycleSettings(server.values), server);
  const metrics = server && gather(problems, () => metricsSettings(server, app, host));
  const monitoring = server && gather(problems, () => monitoringSettings(server), server);
  const logging = gather(problems, () => readLogging(document, host, values));
  const serverFactory = server && (await loadServerFactory(server, file, folder));
  if (server !== undefined && serverFactory !== undefined && !isTsserveError(serverFactory)) {
    gather(problems, () => checkServerSettings(server, serverFactory.module), server);
  }
  if (!server || !app || !lifecycle || !logging || !metrics || !monitoring || !serverFactory || problems.length > 0)
    throw new ConfigurationError(distinct(problems));
  if (isTsserveError(serverFactory)) throw serverFactory;
  return { file, folder, server, app, serverFactory, lifecycle, logging, metrics, monitoring };
}

/** A module that can't be loaded is told after what is wrong with the file itself. */
async function loadServerFactory(
  server: ResolvedSection,
  file: string,
  folder: string,
): Promise<LoadedFunction | TsserveError | undefined> {
  const written = server.values["factory"] ?? "";
  if (written === "" || server.problems.some(({ key }) => key === "factory")) return undefined;
  try {
    return await loadFunction(written, placeOf(file, server, "factory"), folder, "makeServer");
  } catch (error) {
    if (isTsserveError(error)) return error;
    throw error;
  }
}

/** The values of a section, but for those that `[DEFAULT]` has for other sections. */
export function valuesFor({ values, isInherited }: ResolvedSection, spec: Spec): Readonly<Record<string, string>> {
  const foreign = new Set(
    unknownKeys(values, spec)
      .map(({ key }) => key)
      .filter(isInherited),
  );
  return Object.fromEntries(Object.entries(values).filter(([key]) => !foreign.has(key)));
}

function checkServerSettings(section: ResolvedSection, { settings, parseSettings }: ServerModuleExtras): void {
  // A factory that does not say what it knows has to see to its keys itself.
  if (settings === undefined) return;
  const spec = { ...commonSettings, ...(settings as Readonly<Record<string, Spec>>) };
  const values = valuesFor(section, spec);
  const problems = unknownKeys(values, spec);
  try {
    parseConfig(values, spec);
    parseSettings?.(values);
  } catch (error) {
    if (!isConfigurationError(error)) throw error;
    problems.push(...error.problems);
  }
  if (problems.length > 0) throw new ConfigurationError(problems);
}

/** `myapp.ini:3: [app:main] factory` */
export function placeOf(file: string, section: ResolvedSection, key: string): string {
  const [problem] = section.locate([{ key, message: "", value: undefined }]);
  return `${file}:${problem?.line}: [${section.name}] ${key}`;
}

/** The sections and the logging, without loading any module. @throws {ConfigurationError} @throws {UsageError} */
export function readSections(
  host: Host,
  positionals: readonly string[],
  values: OptionValues,
): { readonly server: ResolvedSection; readonly metrics: MetricsSettings; readonly logging: LoggingSettings; readonly folder: string } {
  const file = onlyFile(positionals);
  loadEnvironmentFile(host, values);
  const document = parseIni(readText(host, file, "the configuration file"), file);
  const server = resolveSection(document, `server:${values["server-name"] ?? "main"}`, host.env);
  const app = resolveSection(document, `app:${values["app-name"] ?? "main"}`, host.env);
  const metrics = metricsSettings(server, app, host);
  return { server, metrics, logging: readLogging(document, host, values), folder: dirname(resolve(host.cwd, file)) };
}

/** What `script` needs: it has no server. @throws {ConfigurationError} */
export function readAppConfiguration(
  host: Host,
  file: string,
  values: OptionValues,
): Pick<Configuration, "file" | "folder" | "app" | "logging"> {
  loadEnvironmentFile(host, values);
  const document = parseIni(readText(host, file, "the configuration file"), file);
  const app = resolveSection(document, `app:${values["app-name"] ?? "main"}`, host.env);
  const problems = [...app.problems];
  const logging = gather(problems, () => readLogging(document, host, values));
  if (logging === undefined || problems.length > 0) throw new ConfigurationError(problems);
  return { file, folder: dirname(resolve(host.cwd, file)), app, logging };
}

function readLogging(document: IniDocument, host: Host, values: OptionValues): LoggingSettings {
  const section = document.sections.has("logging") ? resolveSection(document, "logging", host.env) : undefined;
  if (section !== undefined && section.problems.length > 0) throw new ConfigurationError(section.problems);
  const own = section === undefined ? {} : valuesFor(section, loggingSpec);
  return located(section, () => loggingSettings(own, values, host.stdoutIsTerminal));
}

/** Runs a parse; its problems get their place in the file. */
export function located<T>(section: ResolvedSection | undefined, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (isConfigurationError(error) && section !== undefined) throw new ConfigurationError(section.locate(error.problems));
    throw error;
  }
}

function gather<T>(problems: Problem[], parse: () => T, section?: ResolvedSection): T | undefined {
  try {
    return located(section, parse);
  } catch (error) {
    if (!isConfigurationError(error)) throw error;
    problems.push(...error.problems);
    return undefined;
  }
}

function requireFactory(section: ResolvedSection, problems: Problem[]): ResolvedSection {
  problems.push(...section.problems);
  if ((section.values["factory"] ?? "") !== "") return section;
  const example = section.name.startsWith("server:") ? "tsserve/http" : "./app.js:makeApp";
  problems.push(...section.locate([{ key: "factory", message: `a value is required, such as ${example}`, value: undefined }]));
  return section;
}

/** The same key may be found wanting twice: by what it is for, and by its spec. The first word is the clearer. In the order of the file. */
function distinct(problems: readonly Problem[]): Problem[] {
  const byPlace = new Map<string, Problem>();
  for (const problem of problems) {
    const place = `${problem.section} ${problem.key} ${problem.line} ${problem.key === "" ? problem.message : ""}`;
    if (!byPlace.has(place)) byPlace.set(place, problem);
  }
  return [...byPlace.values()].sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
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
