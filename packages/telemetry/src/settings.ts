import { ConfigurationError, parseConfig } from "@tsserve/config";
import { httpUrl, sentrySpec, tracingSpec } from "@tsserve/server";

export interface TracingSettings {
  /** The base URL of the collector. */
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
  /** From 0 to 1. */
  readonly sample: number;
  readonly serviceName: string;
}

/**
 * What a section says of traces; `undefined` where nothing is traced.
 *
 * @param appName the default name of the service
 * @throws {ConfigurationError}
 */
export function tracingSettings(
  raw: Readonly<Record<string, string>>,
  environment: Readonly<Record<string, string | undefined>>,
  appName: string,
): TracingSettings | undefined {
  const { tracing } = parseConfig(raw, { tracing: tracingSpec });
  const endpoint = tracing.endpoint ?? endpointOf(environment["OTEL_EXPORTER_OTLP_ENDPOINT"]);
  if (endpoint === undefined) return undefined;
  return {
    endpoint,
    headers: tracing.headers ?? {},
    sample: tracing.sample,
    serviceName: tracing.service_name ?? environment["OTEL_SERVICE_NAME"] ?? appName,
  };
}

function endpointOf(text: string | undefined): string | undefined {
  if (text === undefined || text === "") return undefined;
  try {
    return httpUrl(text);
  } catch (error) {
    const message = `OTEL_EXPORTER_OTLP_ENDPOINT: ${(error as Error).message}`;
    throw new ConfigurationError([{ key: "tracing.endpoint", message, value: text }]);
  }
}

export interface SentrySettings {
  readonly dsn: string;
  readonly environment: string;
  /** `undefined` for that of the app's package. */
  readonly release: string | undefined;
  /** From 0 to 1. */
  readonly sample: number;
}

/**
 * What a section says of reporting errors; `undefined` where none are.
 *
 * @throws {ConfigurationError}
 */
export function sentrySettings(
  raw: Readonly<Record<string, string>>,
  environment: Readonly<Record<string, string | undefined>>,
): SentrySettings | undefined {
  const { dsn, environment: name, release, sample } = parseConfig(raw, { sentry: sentrySpec }).sentry;
  if (dsn === undefined) return undefined;
  return {
    dsn,
    environment: name ?? (environment["SENTRY_ENVIRONMENT"] || environment["NODE_ENV"] || "production"),
    release: release ?? (environment["SENTRY_RELEASE"] || undefined),
    sample,
  };
}
