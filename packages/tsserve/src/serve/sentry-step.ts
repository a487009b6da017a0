import type { ActiveRequests, Step } from "@tsserve/server";
import type { Logger } from "pino";
import type { Configuration } from "../configuration.ts";
import type { Host } from "../host.ts";
import type { LastReports } from "../reports/last-reports.ts";
import { reportFailures } from "../reports/report-failures.ts";
import { generationVariable } from "../workers/own-worker.ts";

/**
 * Begins to report failures where the configuration says so: before the app is loaded. What has not been sent is sent when all else
 * has ended, since whatever ends may fail.
 */
export function sentryStep(host: Host, configuration: Configuration, requests: ActiveRequests, reports: LastReports, log: Logger): Step {
  return {
    name: "the error tracker",
    start: async () => {
      const { sentry: settings, folder, server, masker } = configuration;
      if (settings === undefined) return;
      const opened = await reportFailures(settings, {
        folder,
        log,
        tags: { server: server.name, ...placeInFleet(host) },
        mask: (text) => masker.mask(text),
        routeOf: (requestId) => requests.describe().find(({ id }) => id === requestId)?.route,
      });
      reports.add(() => opened.close());
    },
  };
}

function placeInFleet({ env }: Host): Readonly<Record<string, string>> {
  const [worker, generation] = [env["EINHORN_CHILD_INDEX"], env[generationVariable]];
  return { ...(worker === undefined ? {} : { worker }), ...(generation === undefined ? {} : { generation }) };
}
