import { ConfigurationError, descriptorOf, endpoint, parseConfig, type Endpoint, type ResolvedSection } from "@tsserve/config";
import type { ListenChoices } from "@tsserve/listener";
import { listenSpec } from "@tsserve/server";
import type { OptionValues } from "./options.ts";
import { readBinds } from "./read-arguments.ts";
import { withoutOverlap } from "./without-overlap.ts";

/** Where to listen, unless a master or systemd passes sockets. */
export interface ListenSettings {
  readonly endpoints: readonly Endpoint[];
  /** Who says so, for the log. */
  readonly from: "command line" | "file" | "default";
  /** Whether the command line wins over what the file says, too. */
  readonly beatsFile: boolean;
  readonly choices: ListenChoices;
}

/**
 * `--bind` (or `TSSERVE_BIND`) wins over the file's `bind`, or `host` and `port`; of `HOST:*`, the ports are the file's.
 *
 * @param nodeVersion as `process.versions.node`
 * @throws {ConfigurationError} @throws {UsageError} for a wrong `--bind`
 */
export function listenSettings({ values: section }: ResolvedSection, values: OptionValues, nodeVersion: string): ListenSettings {
  const parsed = parseConfig(section, listenSpec);
  const choices = {
    backlog: parsed.backlog,
    reusePort: parsed.reuse_port,
    mode: parsed.socket_mode,
    uid: parsed.socket_user,
    gid: parsed.socket_group,
  };
  if (parsed.reuse_port && !canReusePort(nodeVersion))
    throw problem("reuse_port", `needs Node 22.12 or later: this is ${nodeVersion}, which would ignore it`, section);
  const { endpoints, from } = endpointsOf(parsed, section, values);
  const isInFile = parsed.bind !== undefined || parsed.host !== undefined || parsed.port !== undefined;
  const settings = { endpoints: withoutOverlap(endpoints), from, beatsFile: isInFile && from === "command line", choices };
  const descriptors = settings.endpoints.filter((each) => descriptorOf(each) !== undefined);
  if (descriptors.length > 0 && descriptors.length < settings.endpoints.length)
    throw problem("bind", "expected either descriptors or addresses, not both", section);
  return settings;
}

interface WhereSettings {
  readonly bind: readonly Endpoint[] | undefined;
  readonly host: string | undefined;
  readonly port: number | undefined;
}

function endpointsOf(
  { bind, host, port }: WhereSettings,
  section: Readonly<Record<string, string>>,
  values: OptionValues,
): Pick<ListenSettings, "endpoints" | "from"> {
  if (bind !== undefined && (host !== undefined || port !== undefined))
    throw problem("bind", "expected either bind, or host and port, not both", section);
  if (bind?.length === 0) throw problem("bind", "expected at least one endpoint", section);
  const isInFile = bind !== undefined || host !== undefined || port !== undefined;
  const inFile = bind ?? (isInFile ? [endpointAt(host ?? "localhost", port ?? 9090)] : readBinds([]));
  if (values.binds.length > 0)
    return { endpoints: values.binds.flatMap((each) => readBinds(withPorts(each, inFile))), from: "command line" };
  return { endpoints: inFile, from: isInFile ? "file" : "default" };
}

/** `HOST:*` stands for the file's ports at this address: one setting for all sections of an image. A port of the kernel's choice is none that others could know. */
function withPorts(bind: string, inFile: readonly Endpoint[]): string[] {
  const host = /^(.*):\*$/.exec(bind.trim())?.[1];
  if (host === undefined) return [bind];
  const ports = new Set(inFile.flatMap((each) => ("path" in each || each.port === 0 ? [] : [each.port])));
  return [...(ports.size === 0 ? [9090] : ports)].map((port) => `${host}:${port}`);
}

function endpointAt(host: string, port: number): Endpoint {
  return endpoint(host.includes(":") && !host.startsWith("[") ? `[${host}]:${port}` : `${host}:${port}`);
}

/** Node hands the option to the kernel from 22.12 and 23.1 on; before, it ignores it without a word. */
function canReusePort(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > 23 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12);
}

function problem(key: string, message: string, section: Readonly<Record<string, string>>): ConfigurationError {
  return new ConfigurationError([{ key, message, value: section[key] }]);
}
