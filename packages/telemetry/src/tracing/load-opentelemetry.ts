import { createRequire } from "node:module";
import type * as Api from "@opentelemetry/api";
import type * as Exporter from "@opentelemetry/exporter-trace-otlp-proto";
import type * as Sdk from "@opentelemetry/sdk-trace-base";
import { ConfigurationError } from "@tsserve/config";
import { findPeer, resolvePeer } from "@tsserve/server";

/** OpenTelemetry's packages, the app's own ones where it has any. */
export interface OpenTelemetry {
  readonly api: typeof Api;
  readonly sdk: typeof Sdk;
  readonly exporter: typeof Exporter;
  /** Describes this process; the class comes with the SDK. */
  resourceOf(attributes: Readonly<Record<string, string | number>>): Sdk.ReadableSpan["resource"];
  /** Writes and reads `traceparent` and `tracestate`; the class comes with the SDK. */
  propagator(): Api.TextMapPropagator;
}

const apiName = "@opentelemetry/api";
const sdkName = "@opentelemetry/sdk-trace-base";
const exporterName = "@opentelemetry/exporter-trace-otlp-proto";

type Require = (name: string) => unknown;

/**
 * Loads them: from where the app finds its packages, else from where this package does.
 *
 * @throws {ConfigurationError} that names what is not installed
 */
export function loadOpenTelemetry(folder: string): OpenTelemetry {
  const missing: string[] = [];
  const find = (name: string): string => {
    const path = resolvePeer(name, [folder, import.meta.url]);
    if (path === undefined) missing.push(name);
    return path ?? "";
  };
  const [api, sdk, exporter] = [find(apiName), find(sdkName), find(exporterName)];
  if (missing.length > 0) {
    const message = `needs packages that are not installed: npm install ${missing.join(" ")}`;
    throw new ConfigurationError([{ key: "tracing.endpoint", message, value: undefined }]);
  }
  const load: Require = createRequire(import.meta.url);
  // These two are dependencies of the SDK: its own copies, of the version that it was made with.
  const ofSdk: Require = createRequire(sdk);
  return {
    api: load(api) as typeof Api,
    sdk: load(sdk) as typeof Sdk,
    exporter: load(exporter) as typeof Exporter,
    resourceOf: (attributes) => {
      const { resourceFromAttributes } = ofSdk("@opentelemetry/resources") as {
        resourceFromAttributes(attributes: object): Sdk.ReadableSpan["resource"];
      };
      return resourceFromAttributes(attributes);
    },
    propagator: () => {
      const { W3CTraceContextPropagator } = ofSdk("@opentelemetry/core") as { W3CTraceContextPropagator: new () => Api.TextMapPropagator };
      return new W3CTraceContextPropagator();
    },
  };
}

/** Whether anybody in this process has loaded OpenTelemetry's API, whichever copy; unless it has become a part of a bundle. */
export function isApiLoaded(): boolean {
  const { cache } = createRequire(import.meta.url);
  return Object.keys(cache).some((file) => /[\\/]@opentelemetry[\\/]api[\\/]build[\\/]/.test(file));
}

/** OpenTelemetry's API alone: any copy of it finds what another one registered. */
export function loadApi(folder: string): typeof Api | undefined {
  return findPeer(apiName, [folder, import.meta.url]) as typeof Api | undefined;
}
