import type { Step } from "@tsserve/server";
import type { OpenTracing } from "@tsserve/telemetry";
import type { Logger } from "pino";
import type { Configuration } from "../configuration.ts";
import type { Host } from "../host.ts";
import { version } from "../version.ts";

/** What may be spent on the last spans: a collector that is away must not hold the stop. */
const flushMs = 2000;

/**
 * Begins to trace where the configuration says so: after the app is made, so that a tracer provider of its own is seen, and
 * before the server is, which tells of its requests. Ended after the server has.
 */
export function tracingStep(host: Host, { tracing, folder, server }: Configuration, log: Logger): Step<OpenTracing | undefined> {
  return {
    name: "the traces",
    start: async () => {
      if (tracing === undefined) return undefined;
      const { openTracing } = await import("@tsserve/telemetry");
      const resource = {
        "host.name": host.hostname,
        "process.pid": host.pid,
        "service.instance.id": `${host.hostname}:${host.pid}`,
        "tsserve.section": server.name,
        "tsserve.version": version(),
      };
      return openTracing({ settings: tracing, folder, log: log.child({ logger: "tsserve.tracing" }), resource });
    },
    stop: (opened) => opened?.close(flushMs),
  };
}
