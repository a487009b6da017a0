import type { Environment, ResolvedSection } from "@tsserve/config";
import { sentrySettings, type SentrySettings } from "@tsserve/telemetry/settings";
import { eitherSection } from "./either-section.ts";

/** The keys of `sentry`, which may stand in either section; the server's win. @throws {ConfigurationError} with their places */
export function sentryOf(server: ResolvedSection, app: ResolvedSection | undefined, environment: Environment): SentrySettings | undefined {
  return eitherSection("sentry.", server, app, (values) => sentrySettings(values, environment));
}
