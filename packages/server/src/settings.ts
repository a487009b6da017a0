import { parseConfig, requiredSetting, setting, string, timespanOrSeconds, type Reader } from "@tsserve/config";

type CommonSettings = {
  readonly factory: Reader<string>;
  readonly drain_time: Reader<number>;
  readonly stop_timeout: Reader<number>;
};

/** The keys of `[server:…]` that every server factory has. */
export const commonSettings: CommonSettings = {
  factory: requiredSetting(
    string,
    "The server factory: a package or package subpath, or a path from this file's folder, and `:NAME` unless the name is `makeServer`.",
  ),
  drain_time: setting(
    timespanOrSeconds,
    "0 seconds",
    "After the stop signal, how long to serve on while readiness already fails, so that balancers turn away.",
  ),
  stop_timeout: setting(timespanOrSeconds, "10 seconds", "After the drain, how long requests in progress may take before they are cut."),
};

export interface LifecycleSettings {
  readonly drainTimeMs: number;
  readonly stopTimeoutMs: number;
}

/** @throws {ConfigurationError} */
export function lifecycleSettings(raw: Readonly<Record<string, string>>): LifecycleSettings {
  const { drain_time, stop_timeout } = parseConfig(raw, commonSettings);
  return { drainTimeMs: drain_time, stopTimeoutMs: stop_timeout };
}
