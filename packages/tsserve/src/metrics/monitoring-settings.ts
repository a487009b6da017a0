import { parseConfig, type ResolvedSection } from "@tsserve/config";
import { commonSettings } from "@tsserve/server";

export interface MonitoringSettings {
  /** `undefined`: off. */
  readonly blockedHubMs: number | undefined;
  readonly concurrency: boolean;
  readonly connectionPool: boolean;
  readonly gc: { readonly stats: boolean; readonly timing: boolean; readonly refcycle: string | undefined };
}

/** @throws {ConfigurationError} */
export function monitoringSettings({ values }: ResolvedSection): MonitoringSettings {
  const { monitoring } = parseConfig(values, { monitoring: commonSettings.monitoring });
  return {
    blockedHubMs: monitoring.blocked_hub,
    concurrency: monitoring.concurrency,
    connectionPool: monitoring.connection_pool,
    gc: monitoring.gc,
  };
}
