import { readFileSync } from "node:fs";
import { basename, join, relative, resolve } from "node:path";
import {
  ConfigurationError,
  descriptorOf,
  formatEndpoint,
  isConfigurationError,
  isEveryHost,
  isLocalHost,
  parseIni,
  type Endpoint,
  type IniDocument,
  type IniEntry,
  type Problem,
} from "@tsserve/config";
import { environmentReferences, packageManagerOf, type DeploymentPlan, type EnvironmentReference, type ServerKind } from "@tsserve/deploy";
import { makeConfiguration, valuesFor, type Configuration, type ConfigurationSource } from "../configuration.ts";
import type { Host } from "../host.ts";
import type { OptionValues } from "../options.ts";
import { UsageError } from "../usage-error.ts";
import { readSource } from "../read-configuration.ts";
import { projectFolder } from "../project-folder.ts";
import { serverSettings } from "../server-settings.ts";
import { literalSecrets, refersToSecret } from "./literal-secrets.ts";

const defaultPort = 9090;

/** Which files the plan is for: a manifest carries the INI file along, the files of a host do not. */
export interface PlanPurpose {
  /** Whether a secret in the file is refused. */
  readonly carriesFile: boolean;
}

/**
 * Derives what a deployment has to know from the configuration file. Variables that the file refers to need not be set: they
 * are there where the process runs.
 *
 * @throws {ConfigurationError} also for a secret that is written in the file, or a grace period that is too short
 * @throws {UsageError}
 */
export async function planDeployment(
  host: Host,
  positionals: readonly string[],
  values: OptionValues,
  { carriesFile }: PlanPurpose,
): Promise<DeploymentPlan> {
  const [file, ...rest] = positionals;
  if (file === undefined || rest.length > 0) throw new UsageError("expected one configuration file");
  const source = await readSource(host, file, values);
  const document = parseIni(source.text, source.file);
  if (carriesFile) refuse(literalSecrets(document));
  const references = referencesOf(document, values);
  const configuration = await makeConfiguration({ ...source, environment: withStandIns(source, references), serverSettings }).catch(
    (error: unknown) => {
      throw isConfigurationError(error) ? new ConfigurationError(error.problems.map(explainUnset)) : error;
    },
  );
  const times = {
    kind: kindOf(configuration),
    drainSeconds: configuration.lifecycle.drainTimeMs / 1000,
    stopSeconds: configuration.lifecycle.stopTimeoutMs / 1000,
    graceSeconds: configuration.lifecycle.gracePeriodSeconds,
  };
  const root = projectFolder(source.folder);
  const iniPath = relative(root, resolve(host.cwd, file));
  const { workers, upgradeMode, startTimeoutMs } = configuration.master;
  const isAuto = (configuration.server.values["workers"] ?? "").trim().toLowerCase() === "auto" || values.workers === "auto";
  return {
    ...times,
    ...whereToListen(configuration),
    name: nameOf(values.name, root, file),
    iniPath,
    packageManager: packageManagerOf((name) => textIn(root, name)),
    iniText: source.text,
    serverName: values["server-name"] ?? "main",
    appName: values["app-name"] ?? "main",
    startSeconds: startTimeoutMs / 1000,
    // As many as this machine has cores says nothing about the machine that it will run on.
    workers: isAuto ? 1 : (workers ?? 1),
    hasMaster: workers !== undefined,
    upgrade: upgradeMode,
    ...exporterOf(configuration),
    ...(await httpSettingsOf(configuration)),
    environment: references,
    pools: [...configuration.pools].map(([name, { maxConnections }]) => ({ name, maxConnections })),
  };
}

function refuse(problems: readonly Problem[]): void {
  if (problems.length > 0) throw new ConfigurationError(problems);
}

/** What the sections that are used refer to. A variable is needed if one of its references has no default. */
function referencesOf({ sections }: IniDocument, values: OptionValues): EnvironmentReference[] {
  const used = ["DEFAULT", `server:${values["server-name"] ?? "main"}`, `app:${values["app-name"] ?? "main"}`, "logging"];
  const byName = new Map<string, EnvironmentReference>();
  const entries: IniEntry[] = used.flatMap((name) => [...(sections.get(name)?.entries.values() ?? [])]);
  for (const { key, value } of entries) {
    for (const { name, hasDefault } of environmentReferences(value)) {
      const known = byName.get(name);
      byName.set(name, {
        name,
        hasDefault: hasDefault && known?.hasDefault !== false,
        isSecret: refersToSecret(key, value, name) || known?.isSecret === true,
      });
    }
  }
  return [...byName.values()];
}

/** Where a variable is not set, the reference stands for itself: a setting that needs its value says so. */
function withStandIns(
  { environment, fileEnvironment }: Omit<ConfigurationSource, "serverSettings">,
  references: readonly EnvironmentReference[],
): ConfigurationSource["environment"] {
  const unset = references.filter(
    ({ name, hasDefault }) => !hasDefault && environment[name] === undefined && fileEnvironment[name] === undefined,
  );
  return { ...environment, ...Object.fromEntries(unset.map(({ name }) => [name, `$${name}`])) };
}

/** Of a setting that is no text, the plan needs the value. */
function explainUnset(problem: Problem): Problem {
  const name = /^\$([A-Za-z_]\w*)$/.exec(problem.value ?? "")?.[1];
  if (name === undefined) return problem;
  return { ...problem, message: `needs a value of ${name}, which is not set here (set it for this command, or write \${${name}:-…})` };
}

const kinds: Readonly<Record<string, ServerKind>> = { "tsserve/http": "http", "tsserve/thrift": "thrift", "tsserve/queue": "queue" };

function kindOf({ server }: Configuration): ServerKind {
  const factory = server.values["factory"] ?? "";
  return Object.hasOwn(kinds, factory) ? (kinds[factory] ?? "other") : "other";
}

/** The first TCP endpoint; a unix socket is for the host's own proxy. */
function whereToListen({ listen }: Configuration): Pick<DeploymentPlan, "port" | "address" | "unixSocket" | "otherPlaces"> {
  // What it is started with, or what the kernel chooses, is no place that others can know.
  const known = listen.endpoints.filter((each) => descriptorOf(each) === undefined && ("path" in each || each.port !== 0));
  const tcp = known.find((each): each is Extract<Endpoint, { port: number }> => "port" in each);
  const unixSocket = known.find((each): each is Extract<Endpoint, { path: string }> => "path" in each)?.path;
  const { host = "", port } = tcp ?? {};
  const taken = tcp ?? known[0];
  const address = host === "localhost" ? "127.0.0.1" : isEveryHost(host) ? undefined : host;
  return {
    port: port ?? defaultPort,
    address,
    unixSocket: port === undefined ? unixSocket : undefined,
    otherPlaces: known.filter((each) => each !== taken).map(formatEndpoint),
  };
}

/** Others reach an exporter that listens on the loopback address from within the pod or the host only. */
function exporterOf({ metrics }: Configuration): Pick<DeploymentPlan, "metricsPort" | "localMetricsPort"> {
  if (!metrics.enabled || !("port" in metrics.endpoint)) return {};
  const { host, port } = metrics.endpoint;
  return isLocalHost(host) ? { localMetricsPort: port } : { metricsPort: port };
}

/** What a proxy in front has to agree with, and who asks how the server is. */
async function httpSettingsOf({
  server,
  serverSpec,
}: Configuration): Promise<Pick<DeploymentPlan, "maxBodyBytes" | "keepAliveSeconds" | "accessLogPath" | "serverHealth" | "speaksTls">> {
  if (server.values["factory"] !== "tsserve/http") return {};
  const { httpSettings } = await import("@tsserve/http/settings");
  const { clientMaxBytes, keepAliveTimeoutMs, health, proxyVersions, tls } = httpSettings(valuesFor(server, serverSpec));
  const speaksTls = tls.certificate !== undefined;
  const tellsProbes = health && proxyVersions === undefined && tls.client_certificates !== "require";
  const log = server.values["access_log"]?.trim();
  const isPath = log !== undefined && /[./]/.test(log);
  return {
    maxBodyBytes: clientMaxBytes,
    keepAliveSeconds: keepAliveTimeoutMs / 1000,
    accessLogPath: isPath ? log : undefined,
    speaksTls,
    serverHealth: tellsProbes ? (speaksTls ? "https" : "http") : "none",
  };
}

/** As `--name` says, else as the package is called, else as the file. @throws {UsageError} when it is no name for Kubernetes */
function nameOf(written: string | undefined, root: string, file: string): string {
  if (written !== undefined) {
    if (/^[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(written)) return written;
    throw new UsageError(`--name: expected lower-case letters, digits and dashes, at most 63, found "${written}"`);
  }
  const label = (text: string): string =>
    text
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, "-")
      .replace(/^[^a-z]+/, "")
      .slice(0, 50)
      .replace(/-+$/, "");
  return label(packageName(root)) || label(basename(file, ".ini")) || "app";
}

/** The text of a file of the project; `undefined` where there is none, or it can't be read. */
function textIn(root: string, name: string): string | undefined {
  try {
    return readFileSync(join(root, name), "utf8");
  } catch {
    return undefined;
  }
}

function packageName(root: string): string {
  try {
    const { name } = JSON.parse(textIn(root, "package.json") ?? "") as { name?: unknown };
    return typeof name === "string" ? name.replace(/^@[^/]*\//, "") : "";
  } catch {
    return "";
  }
}
