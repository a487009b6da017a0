import { resolve } from "node:path";
import { ConfigurationError, parseConfig } from "@tsserve/config";
import type { WorkerLimits } from "@tsserve/master";
import { commonSettings, lifecycleSettings, type LifecycleSettings } from "@tsserve/server";
import type { Host } from "../host.ts";
import type { LoggingSettings } from "../logging-settings.ts";
import type { MetricsSettings } from "../metrics/metrics-settings.ts";
import type { OptionValues } from "../options.ts";
import { located, readSections } from "../read-configuration.ts";

/** What the master needs to know; it loads no code of the server's or the app's. */
export interface MasterConfiguration {
  readonly lifecycle: LifecycleSettings;
  readonly logging: LoggingSettings;
  readonly metrics: MetricsSettings;
  readonly upgradeMode: "smooth" | "fleet";
  readonly startTimeoutMs: number;
  readonly controlSocket: string | undefined;
  readonly limits: WorkerLimits;
  readonly workerTimeoutMs: number | undefined;
}

/** @throws {ConfigurationError} with the problems of what it reads; the workers find the others */
export function readMasterConfiguration(host: Host, positionals: readonly string[], values: OptionValues): MasterConfiguration {
  const { server, logging, metrics, folder } = readSections(host, positionals, values);
  if (server.problems.length > 0) throw new ConfigurationError(server.problems);
  return located(server, () => {
    const parsed = parseConfig(server.values, commonSettings);
    return {
      lifecycle: lifecycleSettings(server.values),
      logging,
      metrics,
      upgradeMode: parsed.upgrade,
      startTimeoutMs: parsed.start_timeout,
      controlSocket: parsed.control_socket === undefined ? undefined : resolve(folder, parsed.control_socket),
      limits: {
        maxRequests: parsed.max_requests,
        maxRequestsJitter: parsed.max_requests_jitter,
        maxAgeMs: parsed.max_age,
        maxMemoryBytes: parsed.max_memory,
      },
      workerTimeoutMs: parsed.worker_timeout,
    };
  });
}
