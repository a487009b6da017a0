import type { Step } from "@tsserve/server";
import type { OpenTracing } from "@tsserve/telemetry";
import type { Logger } from "pino";
import type { Configuration } from "../configuration.ts";
import type { Host } from "../host.ts";
import type { LastReports } from "../reports/last-reports.ts";
import { openTraces } from "../reports/open-traces.ts";

/**
 * Begins to trace where the configuration says so: after the app is made, so that a tracer provider of its own is seen, and
 * before the server is, which tells of its requests. What has not been sent is sent when all else has ended.
 */
export function tracingStep(host: Host, configuration: Configuration, reports: LastReports, log: Logger): Step<OpenTracing | undefined> {
  return {
    name: "the traces",
    start: async () => {
      const { tracing, folder, masker, server } = configuration;
      if (tracing === undefined) return undefined;
      const opened = await openTraces(host, tracing, { folder, masker, log, resource: { "tsserve.section": server.name } });
      reports.add(() => opened.close());
      return opened;
    },
  };
}
