import { ConfigurationError, endpoint, parseConfig, type Endpoint, type ResolvedSection } from "@tsserve/config";
import { listenSpec } from "@tsserve/server";
import { readBinds, type OptionValues } from "./options.ts";

/** Where to listen, unless a master or systemd passes sockets. */
export interface ListenSettings {
  readonly endpoints: readonly Endpoint[];
  /** Who says so, for the log. */
  readonly from: "command line" | "file" | "default";
}

/**
 * `--bind` (or `TSSERVE_BIND`) wins over the file's `bind`, or `host` and `port`.
 *
 * @throws {ConfigurationError} @throws {UsageError} for a wrong `--bind`
 */
export function listenSettings({ values: section }: ResolvedSection, values: OptionValues): ListenSettings {
  const { bind, host, port } = parseConfig(section, listenSpec);
  if (bind !== undefined && (host !== undefined || port !== undefined)) {
    const message = "expected either bind, or host and port, not both";
    throw new ConfigurationError([{ key: "bind", message, value: section["bind"] }]);
  }
  if (bind?.length === 0)
    throw new ConfigurationError([{ key: "bind", message: "expected at least one endpoint", value: section["bind"] }]);
  if (values.binds.length > 0) return { endpoints: readBinds(values.binds), from: "command line" };
  if (bind !== undefined) return { endpoints: bind, from: "file" };
  if (host !== undefined || port !== undefined) return { endpoints: [endpointOf(host ?? "localhost", port ?? 9090)], from: "file" };
  return { endpoints: readBinds([]), from: "default" };
}

function endpointOf(host: string, port: number): Endpoint {
  return endpoint(host.includes(":") && !host.startsWith("[") ? `[${host}]:${port}` : `${host}:${port}`);
}
