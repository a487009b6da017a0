import { ConfigurationError, parseConfig, type Endpoint, type Environment, type ResolvedSection } from "@tsserve/config";
import { eitherSection } from "../either-section.ts";
import { metricsSpec, type PageAccess } from "@tsserve/server";

export interface MetricsSettings {
  readonly enabled: boolean;
  readonly endpoint: Endpoint;
  /** Which of the inherited sockets is the exporter's. */
  readonly listener: number | undefined;
  readonly page: PageAccess;
  readonly statsd: { readonly host: string; readonly port: number } | undefined;
  readonly namespace: string;
  /** `PROMETHEUS_MULTIPROC_DIR`. */
  readonly parent: string | undefined;
}

/**
 * The keys of `metrics`, which may stand in either section; the server's win.
 *
 * @throws {ConfigurationError} with their places
 */
export function metricsSettings(server: ResolvedSection, app: ResolvedSection | undefined, environment: Environment): MetricsSettings {
  return eitherSection("metrics.", server, app, (values) => {
    const { metrics } = parseConfig(values, { metrics: metricsSpec });
    const { statsd } = metrics;
    if (statsd !== undefined && "path" in statsd)
      throw new ConfigurationError([{ key: "metrics.statsd", message: "expected HOST:PORT", value: statsd.path }]);
    return { ...metrics, statsd, parent: environment["PROMETHEUS_MULTIPROC_DIR"] || undefined };
  });
}

/** Where the metrics of a script are pushed to; the key may stand in either section. @throws {ConfigurationError} with its place */
export function pushGatewayOf(server: ResolvedSection, app: ResolvedSection): string | undefined {
  return eitherSection("metrics.push_gateway", server, app, (values) => parseConfig(values, { metrics: metricsSpec }).metrics.push_gateway);
}

/**
 * @param folder of the INI file
 * @throws {ConfigurationError} when the environment names a folder that can't be used, or the client of StatsD is not installed
 */
export async function checkMetrics({ enabled, parent, statsd }: MetricsSettings, folder: string): Promise<void> {
  if (!enabled) return;
  if (statsd !== undefined) {
    const { loadStatsdClient } = await import("@tsserve/metrics");
    if (loadStatsdClient(folder) === undefined) {
      const message = "needs the package hot-shots, which is not installed: npm install hot-shots";
      throw new ConfigurationError([{ key: "metrics.statsd", message, value: undefined }]);
    }
  }
  if (parent === undefined) return;
  const { problemOfFolder } = await import("@tsserve/metrics/folder");
  const message = problemOfFolder(parent);
  if (message !== undefined) throw new ConfigurationError([{ key: "PROMETHEUS_MULTIPROC_DIR", message, value: parent }]);
}
