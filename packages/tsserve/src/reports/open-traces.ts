import type { Masker } from "@tsserve/config";
import type { OpenTracing, TracingSettings } from "@tsserve/telemetry";
import type { Logger } from "pino";
import type { Host } from "../host.ts";
import { version } from "../version.ts";

export interface TracesParts {
  /** Of the INI file: OpenTelemetry's packages are found from here. */
  readonly folder: string;
  readonly masker: Masker;
  readonly log: Logger;
  /** What this process is, beside what every process says of itself. */
  readonly resource: Readonly<Record<string, string>>;
  /** As in `TracingParts`. */
  readonly keepsContext?: boolean;
}

/** Begins to trace what this process does. @throws {ConfigurationError} when a package is not installed */
export async function openTraces(host: Host, settings: TracingSettings, parts: TracesParts): Promise<OpenTracing> {
  const { openTracing } = await import("@tsserve/telemetry");
  const { folder, masker, log, keepsContext = false } = parts;
  const resource = {
    "host.name": host.hostname,
    "process.pid": host.pid,
    "service.instance.id": `${host.hostname}:${host.pid}`,
    "tsserve.version": version(),
    ...parts.resource,
  };
  const mask = (text: string): string => masker.mask(text);
  return openTracing({ settings, folder, log: log.child({ logger: "tsserve.tracing" }), resource, mask, keepsContext });
}
