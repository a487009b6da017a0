import {
  ConfigurationError,
  isTsserveError,
  parseConfig,
  parseIni,
  resolveSection,
  unknownKeys,
  withLearner,
  learnerOf,
  type Environment,
  type IniDocument,
  type Masker,
  type Problem,
  type ResolvedSection,
  type Spec,
  type TsserveError,
} from "@tsserve/config";
import { commonSettings, lifecycleSettings, type LifecycleSettings, type ServerModuleExtras } from "@tsserve/server";
import { tracingSettings, type SentrySettings, type TracingSettings } from "@tsserve/telemetry/settings";
import { distinct, gather, located } from "./gather-problems.ts";
import { listenSettings, type ListenSettings } from "./listen-settings.ts";
import { loggingSettings, loggingSpec, type LoggingSettings } from "./logging-settings.ts";
import { metricsSettings, pushGatewayOf, type MetricsSettings } from "./metrics/metrics-settings.ts";
import { monitoringSettings, type MonitoringSettings } from "./metrics/monitoring-settings.ts";
import type { OptionValues } from "./options.ts";
import { sentryOf } from "./sentry-of.ts";
import { poolSettings, type PoolSettings } from "./pools/pool-settings.ts";
import { masterSettings, type MasterSettings } from "./workers/master-settings.ts";

/** What a configuration is made from. Nothing else has a say, so the same source gives the same configuration. */
export interface ConfigurationSource {
  /** The file as the user wrote it, for messages. */
  readonly file: string;
  /** The folder of the file: modules are resolved from here. */
  readonly folder: string;
  /** From which paths on the command line are resolved. */
  readonly cwd: string;
  /** What the file holds. */
  readonly text: string;
  /** The variables of the process. They win over those of the environment file. */
  readonly environment: Environment;
  /** What the environment file adds to them. */
  readonly fileEnvironment: Readonly<Record<string, string>>;
  /** The command line, where it is silent the `TSSERVE_…` variables. */
  readonly values: OptionValues;
  readonly stdoutIsTerminal: boolean;
  /** Learns the secrets. The one of the process, so that those of a configuration that is over stay hidden. */
  readonly masker: Masker;
  /** What a server factory's module says of its keys. Is asked once, and may load the module. @throws {TsserveError} */
  readonly serverSettings: (written: string, place: string, folder: string) => Promise<ServerModuleExtras>;
}

/**
 * A configuration file, read once for one app and one server: what every command, the master, its workers and a
 * reload go by. Frozen; an upgrade reads a second one and compares (`differences`).
 *
 * **To add a slice**, that is, to have more of the file read, checked and typed:
 *
 * 1. Write its keys as a spec (`setting`, `optionalSetting`, `secret`) in the `settings.ts` of the package that
 *    understands them, and a function from the section's values to a typed object. Keys that every server has belong to
 *    `commonSettings` of `@tsserve/server`; keys of one server factory to the `settings` that its module exports, which is
 *    checked here, but parsed by the factory itself. Docs, `app.example.ini`, `check`, the schema, masking and the list of
 *    known keys follow from the spec.
 * 2. Add a property to `Slices` and its function to `slices` below. The function may read `source.server.values`,
 *    `source.app.values`, `source.values` (the command line) and `source.environment`, and throws a `ConfigurationError`
 *    whose problems name their keys: file and line are added here, and all problems of the file come at once.
 * 3. If a running master can't change it, name its key in `fixed` of `differences.ts`.
 */
export interface Configuration extends Slices {
  /** As the user wrote it, for messages. */
  readonly file: string;
  /** From which modules are resolved. */
  readonly folder: string;
  readonly server: ResolvedSection;
  /** The keys that `server` may have; `undefined` where the factory does not tell them. */
  readonly serverSpec: Spec | undefined;
  readonly app: ResolvedSection;
  readonly logging: LoggingSettings;
  /** What the environment file adds to the variables of the process. `adoptEnvironment` makes the app see them. */
  readonly fileEnvironment: Readonly<Record<string, string>>;
  /** Knows the secrets of this configuration. Whatever is printed, logged or shown passes through its `mask`. */
  readonly masker: Masker;
}

/** What a command needs that runs no server. */
export interface AppConfiguration extends Pick<
  Configuration,
  "file" | "folder" | "app" | "logging" | "fileEnvironment" | "masker" | "tracing" | "sentry"
> {
  /** `metrics.push_gateway`. */
  readonly pushGateway: string | undefined;
}

/** The parts of a configuration that are read from the server's section and the app's. */
export interface Slices {
  readonly lifecycle: LifecycleSettings;
  readonly listen: ListenSettings;
  readonly master: MasterSettings;
  readonly metrics: MetricsSettings;
  readonly monitoring: MonitoringSettings;
  readonly pools: PoolSettings;
  /** `undefined` where nothing is traced. */
  readonly tracing: TracingSettings | undefined;
  /** `undefined` where errors are reported to nobody. */
  readonly sentry: SentrySettings | undefined;
}

/** What a slice is read from. */
export interface SliceSource {
  readonly server: ResolvedSection;
  /** `undefined` where the file has no such section, which is a problem by itself. */
  readonly app: ResolvedSection | undefined;
  readonly values: OptionValues;
  /** Those of the process and those of the environment file. */
  readonly environment: Environment;
  readonly folder: string;
  readonly cwd: string;
  /** The keys of the server factory, where it tells them. */
  readonly factorySpec: Readonly<Record<string, Spec>> | undefined;
}

const slices: { readonly [Name in keyof Slices]: (source: SliceSource) => Slices[Name] } = {
  lifecycle: ({ server, factorySpec }) => lifecycleSettings(server.values, factorySpec),
  listen: ({ server, values }) => listenSettings(server, values, process.versions.node),
  master: masterSettings,
  metrics: ({ server, app, environment }) => metricsSettings(server, app, environment),
  monitoring: ({ server }) => monitoringSettings(server),
  pools: ({ app }) => poolSettings(app),
  tracing: ({ server, environment, values }) => tracingSettings(server.values, environment, values["app-name"] ?? "main"),
  sentry: ({ server, app, environment }) => sentryOf(server, app, environment),
};

/**
 * Makes the configuration. Reads nothing but what it is handed; of modules, only the server factory's says something,
 * namely which keys it knows.
 *
 * @throws {ConfigurationError} with every problem of the file
 * @throws {TsserveError} when the server factory can't be asked, and nothing else is wrong
 * @throws {UsageError} for an option of the command line
 */
export async function makeConfiguration(source: ConfigurationSource): Promise<Configuration> {
  const { server: serverName, app: appName } = sectionNames(source.values);
  const reading = begin(source);
  const { environment, problems, document } = reading;
  const server = gather(problems, () =>
    ofImage(requireFactory(resolveSection(document, serverName, environment, source.masker), problems), environment),
  );
  const app = gather(problems, () => requireFactory(resolveSection(document, appName, environment, source.masker), problems));
  const settings = server && (await askServerFactory(server, source));
  const factorySpec = isTsserveError(settings) ? undefined : (settings?.settings as Readonly<Record<string, Spec>> | undefined);
  const { values, folder, cwd } = source;
  const read = server && readSlices({ server, app, environment, values, folder, cwd, factorySpec }, problems);
  const logging = gather(problems, () => readLogging(reading));
  const spec = server && settings !== undefined && !isTsserveError(settings) ? checkServerSettings(server, settings, problems) : undefined;
  if (!server || !app || !read || !logging || problems.length > 0) throw new ConfigurationError(distinct(problems));
  if (isTsserveError(settings)) throw settings;
  return Object.freeze({
    ...read,
    file: source.file,
    folder: source.folder,
    server,
    serverSpec: spec,
    app,
    logging,
    fileEnvironment: source.fileEnvironment,
    masker: source.masker,
  });
}

/**
 * The share of a command that runs no server: the server's section may be missing, and what is wrong in it is of no matter, but for
 * what says where the command tells of what it did.
 *
 * @throws {ConfigurationError}
 * @throws {UsageError}
 */
export function makeAppConfiguration(source: Omit<ConfigurationSource, "serverSettings">): AppConfiguration {
  const reading = begin(source);
  const { problems } = reading;
  const app = gather(problems, () => resolveSection(reading.document, sectionNames(source.values).app, reading.environment, source.masker));
  problems.push(...(app?.problems ?? []));
  const logging = gather(problems, () => readLogging(reading));
  const destinations = app && readDestinations(reading, app);
  if (app === undefined || logging === undefined || destinations === undefined || problems.length > 0)
    throw new ConfigurationError(distinct(problems));
  const { file, folder, fileEnvironment } = source;
  return Object.freeze({ file, folder, app, logging, fileEnvironment, masker: source.masker, ...destinations });
}

/** Where a command without a server tells of what it did. Without a section of a server, the keys of traces are the app's, too. */
function readDestinations(
  { source, document, environment, problems }: Reading,
  app: ResolvedSection,
): Pick<AppConfiguration, "tracing" | "sentry" | "pushGateway"> | undefined {
  const names = sectionNames(source.values);
  const hasServer = source.values["server-name"] !== undefined || document.sections.has(names.server);
  const server = hasServer ? gather(problems, () => resolveSection(document, names.server, environment, source.masker)) : app;
  if (server === undefined) return undefined;
  if (server !== app) problems.push(...server.problems.filter(({ key }) => /^(?:tracing|sentry)\.|^metrics\.push_gateway$/.test(key)));
  const appName = source.values["app-name"] ?? "main";
  return {
    tracing: gather(problems, () => tracingSettings(server.values, environment, appName), server),
    sentry: gather(problems, () => sentryOf(server, app, environment)),
    pushGateway: gather(problems, () => pushGatewayOf(server, app)),
  };
}

/** `WORKER_CONNECTIONS` of an image's environment is `max_active_requests`, in each worker. */
function ofImage(server: ResolvedSection, environment: Environment): ResolvedSection {
  const connections = Object.hasOwn(environment, "WORKER_CONNECTIONS") ? environment["WORKER_CONNECTIONS"] : undefined;
  if (connections === undefined || connections === "" || server.values["factory"] !== "tsserve/http") return server;
  return { ...server, values: Object.freeze({ ...server.values, max_active_requests: connections }) };
}

interface Reading {
  readonly source: Omit<ConfigurationSource, "serverSettings">;
  readonly environment: Environment;
  readonly document: IniDocument;
  readonly problems: Problem[];
}

function begin(source: Omit<ConfigurationSource, "serverSettings">): Reading {
  const document = parseIni(source.text, source.file);
  const environment = { ...source.fileEnvironment, ...source.environment };
  source.masker.learnVariables(Object.entries(environment).map(([name, value]) => [name, value ?? ""]));
  return { source, environment, document, problems: [] };
}

function sectionNames(values: OptionValues): { readonly server: string; readonly app: string } {
  return { server: `server:${values["server-name"] ?? "main"}`, app: `app:${values["app-name"] ?? "main"}` };
}

function readSlices(source: SliceSource, problems: Problem[]): Slices | undefined {
  const before = problems.length;
  const entries = Object.entries(slices).map(([name, slice]) => [name, gather<unknown>(problems, () => slice(source), source.server)]);
  return problems.length === before ? (Object.fromEntries(entries) as unknown as Slices) : undefined;
}

function readLogging({ document, environment, source }: Reading): LoggingSettings {
  const section = document.sections.has("logging") ? resolveSection(document, "logging", environment, source.masker) : undefined;
  if (section !== undefined && section.problems.length > 0) throw new ConfigurationError(section.problems);
  const own = section === undefined ? {} : valuesFor(section, loggingSpec);
  return located(section, () => loggingSettings(own, source.values, source.stdoutIsTerminal));
}

/** A module that can't be loaded is told after what is wrong with the file itself. */
async function askServerFactory(
  server: ResolvedSection,
  { file, folder, serverSettings }: ConfigurationSource,
): Promise<ServerModuleExtras | TsserveError | undefined> {
  const written = server.values["factory"] ?? "";
  if (written === "" || server.problems.some(({ key }) => key === "factory")) return undefined;
  try {
    return await serverSettings(written, placeOf(file, server, "factory"), folder);
  } catch (error) {
    if (isTsserveError(error)) return error;
    throw error;
  }
}

/** Gives the keys that the section may have. A factory that does not say what it knows has to see to its keys itself. */
function checkServerSettings(
  section: ResolvedSection,
  { settings, parseSettings }: ServerModuleExtras,
  problems: Problem[],
): Spec | undefined {
  if (settings === undefined) return undefined;
  const spec = { ...commonSettings, ...(settings as Readonly<Record<string, Spec>>) };
  const values = valuesFor(section, spec);
  for (const problem of section.locate(unknownKeys(values, spec))) problems.push(problem);
  gather(
    problems,
    () => {
      parseConfig(values, spec);
      parseSettings?.(values);
    },
    section,
  );
  return spec;
}

/** The values of a section, but for those that `[DEFAULT]` has for other sections, as far as the spec shows that. */
export function valuesFor({ values, isInherited }: ResolvedSection, spec: Spec | undefined): Readonly<Record<string, string>> {
  if (spec === undefined) return values;
  const foreign = new Set(
    unknownKeys(values, spec)
      .map(({ key }) => key)
      .filter(isInherited),
  );
  return withLearner(Object.fromEntries(Object.entries(values).filter(([key]) => !foreign.has(key))), learnerOf(values));
}

/** `myapp.ini:3: [app:main] factory` */
export function placeOf(file: string, section: ResolvedSection, key: string): string {
  const [problem] = section.locate([{ key, message: "", value: undefined }]);
  return `${file}:${problem?.line}: [${section.name}] ${key}`;
}

function requireFactory(section: ResolvedSection, problems: Problem[]): ResolvedSection {
  problems.push(...section.problems);
  if ((section.values["factory"] ?? "") !== "") return section;
  const example = section.name.startsWith("server:") ? "tsserve/http" : "./app.js:makeApp";
  problems.push(...section.locate([{ key: "factory", message: `a value is required, such as ${example}`, value: undefined }]));
  return section;
}
