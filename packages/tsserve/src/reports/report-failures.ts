import { failureReports } from "@tsserve/server";
import type { OpenSentry, SentryParts, SentrySettings } from "@tsserve/telemetry";
import { releaseOf } from "../release-of.ts";

/** From now on, failures are reported. @throws {ConfigurationError} when the package for it is not installed */
export async function reportFailures(settings: SentrySettings, parts: Omit<SentryParts, "settings" | "now">): Promise<OpenSentry> {
  const { openSentry } = await import("@tsserve/telemetry");
  const opened = openSentry({
    ...parts,
    settings: { ...settings, release: settings.release ?? releaseOf(parts.folder) },
    log: parts.log.child({ logger: "tsserve.sentry" }),
    now: () => performance.now(),
  });
  failureReports().takeWith(opened.report);
  return opened;
}
