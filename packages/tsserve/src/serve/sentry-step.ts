import { failureReports, type ActiveRequests, type Step } from "@tsserve/server";
import type { OpenSentry, SentryParts, SentrySettings } from "@tsserve/telemetry";
import type { Logger } from "pino";
import type { Configuration } from "../configuration.ts";
import type { Host } from "../host.ts";
import { releaseOf } from "../release-of.ts";
import { generationVariable } from "../workers/own-worker.ts";

/** What may be spent on the last reports: a tracker that is away must not hold the stop. */
export const flushMs = 2000;

/** Begins to report failures where the configuration says so: before the app is loaded. Ended after the server has. */
export function sentryStep(host: Host, configuration: Configuration, requests: ActiveRequests, log: Logger): Step<OpenSentry | undefined> {
  return {
    name: "the error tracker",
    start: async () => {
      const { sentry: settings, folder, server, masker } = configuration;
      if (settings === undefined) return undefined;
      return reportTo(settings, {
        folder,
        log,
        tags: { server: server.name, ...placeInFleet(host) },
        mask: (text) => masker.mask(text),
        routeOf: (requestId) => requests.describe().find(({ id }) => id === requestId)?.route,
      });
    },
    stop: (opened) => opened?.close(flushMs),
  };
}

/** From now on, failures are reported. @throws {ConfigurationError} when the package for it is not installed */
export async function reportTo(settings: SentrySettings, parts: Omit<SentryParts, "settings" | "now">): Promise<OpenSentry> {
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

function placeInFleet({ env }: Host): Readonly<Record<string, string>> {
  const [worker, generation] = [env["EINHORN_CHILD_INDEX"], env[generationVariable]];
  return { ...(worker === undefined ? {} : { worker }), ...(generation === undefined ? {} : { generation }) };
}
