import { optionalSetting, percent, setting, string, type Parser, type Reader } from "@tsserve/config";

type Headers = Readonly<Record<string, string>>;

export type TracingSpec = {
  readonly endpoint: Reader<string | undefined>;
  readonly headers: Reader<Headers | undefined>;
  readonly sample: Reader<number>;
  readonly service_name: Reader<string | undefined>;
};

/** A URL without a slash at its end, to which paths are added: it can have no query. */
export const httpUrl: Parser<string> = (text) => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) throw new Error("expected a URL such as http://localhost:4318");
  if (/[?#]/.test(text)) throw new Error("expected a URL such as http://localhost:4318, without a query: a path is added to it");
  let end = text.length;
  while (text[end - 1] === "/") end -= 1;
  return text.slice(0, end);
};

/** `name=value, name=value`. */
const headerList: Parser<Headers> = (text) => {
  const headers: Record<string, string> = {};
  for (const part of text.split(",").filter((each) => each.trim() !== "")) {
    const separator = part.indexOf("=");
    const name = part.slice(0, separator).trim();
    if (separator === -1 || !/^[\w!#$%&'*+.^`|~-]+$/.test(name)) throw new Error("expected name=value, name=value");
    headers[name] = part.slice(separator + 1).trim();
  }
  return headers;
};

/** The keys below `tracing` in `[server:…]`. */
export const tracingSpec: TracingSpec = {
  endpoint: optionalSetting(
    httpUrl,
    "Where spans of requests are sent, as OTLP over HTTP: the base URL of a collector, such as http://localhost:4318. Default: what `OTEL_EXPORTER_OTLP_ENDPOINT` says; without both, nothing is traced. Needs `npm install @opentelemetry/api @opentelemetry/sdk-trace-base @opentelemetry/exporter-trace-otlp-proto`.",
  ),
  headers: optionalSetting(
    headerList,
    "Headers for the collector, such as `authorization=Bearer $TOKEN`: `name=value, name=value`. Secret.",
  ),
  sample: setting(percent, "1%", "The part of requests that is recorded where the caller has not decided; its decision wins."),
  service_name: optionalSetting(
    string,
    "What the service is called in traces. Default: `OTEL_SERVICE_NAME`, else the name of the app's section.",
  ),
};
