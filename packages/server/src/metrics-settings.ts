import { boolean, endpoint, integer, optionalSetting, setting, string, type Endpoint, type Reader } from "@tsserve/config";
import { httpUrl } from "./tracing-settings.ts";

export type MetricsSpec = {
  readonly enabled: Reader<boolean>;
  readonly endpoint: Reader<Endpoint>;
  readonly listener: Reader<number | undefined>;
  readonly page: Reader<PageAccess>;
  readonly statsd: Reader<Endpoint | undefined>;
  readonly baseplate_names: Reader<boolean>;
  readonly namespace: Reader<string>;
  readonly push_gateway: Reader<string | undefined>;
};

/** Who is shown the page of the metrics; `auto` is who asks from this machine for a name or an address of the loopback. */
export type PageAccess = "auto" | "everybody" | "nobody";

function pageAccess(text: string): PageAccess {
  const word = text.toLowerCase();
  if (word === "auto") return "auto";
  if (word !== "true" && word !== "false") throw new Error("expected auto, true or false");
  return word === "true" ? "everybody" : "nobody";
}

/** The keys below `metrics`, in `[server:…]` or `[app:…]`. */
export const metricsSpec: MetricsSpec = {
  enabled: setting(boolean, "true", "Whether metrics are kept and exported. The keys of `metrics` may stand in `[app:…]`, too."),
  endpoint: setting(endpoint, "0.0.0.0:6060", "Where Prometheus finds `/metrics`; all workers share it."),
  listener: optionalSetting(
    integer,
    "Under Einhorn, which of the inherited sockets is the exporter's, counted from 0: `1` for the second `-b`.",
  ),
  page: setting(
    pageAccess,
    "auto",
    "Who is shown the page of the metrics at `/` of the same endpoint: `auto`, who asks from this machine for `localhost`; `true`, everybody; `false`, nobody.",
  ),
  statsd: optionalSetting(endpoint, "Where the figures of the runtime are sent as StatsD lines, too, by UDP: `HOST:PORT`."),
  namespace: setting(string, "tsserve", "What the names of the StatsD lines begin with."),
  baseplate_names: setting(
    boolean,
    "false",
    "In `[server:…]`: whether consumers of RabbitMQ also keep the metrics that baseplate.py's had, `amqp_consumer_…`. HTTP and Thrift have baseplate's names anyway.",
  ),
  push_gateway: optionalSetting(
    httpUrl,
    "Where `tsserve script` pushes the metrics of a job when it is over: the base URL of a Prometheus push gateway. Servers push nothing.",
  ),
};
