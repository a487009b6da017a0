import {
  boolean,
  byteSize,
  integer,
  oneOf,
  optionalSetting,
  parseConfig,
  percent,
  positive,
  setting,
  string,
  timespanOrSeconds,
  tristate,
  tupleOf,
  ConfigurationError,
  type Parsed,
  type Parser,
  type Reader,
} from "@tsserve/config";
import { lifecycleSettings } from "@tsserve/server";
import type { ProxySettings } from "./client.ts";
import { exclusion, type Exclusion } from "./exclusion.ts";
import type { ProxyVersions } from "./proxy-protocol/parse-proxy-header.ts";
import { tlsSettings, tlsSpec, type ParsedTls, type TlsSpec } from "./tls/tls-settings.ts";
import { proxyPattern } from "./trusted-proxies.ts";

const headerName: Parser<string> = (text) => {
  if (/^[!#$%&'*+.^_`|~\w-]{1,100}$/.test(text)) return text;
  throw new Error("expected the name of a header, such as X-Forwarded-For");
};

/** Where access log lines go besides stdout, and which there are. */
export interface AccessLogSettings {
  /** Of the file, as it is written; absent without one. */
  readonly path: string | undefined;
  readonly format: AccessLogFormat;
  readonly exclude: readonly Exclusion[];
  /** From 0 to 1. */
  readonly sample: number;
  readonly slowMs: number;
}

export type AccessLogFormat = "json" | "common" | "combined";

/** How old connections make room for others. 0 is no limit. */
export interface Rotation {
  readonly maxRequests: number;
  readonly maxAgeMs: number;
  /** From 0 to 1. */
  readonly jitter: number;
}

/** Zero or more. */
const count: Parser<number> = (text) => {
  const number = integer(text);
  if (number < 0) throw new Error(`expected 0 or more, found ${number}`);
  return number;
};

/** What SETTINGS_MAX_CONCURRENT_STREAMS takes (RFC 9113, section 6.5.2): Node throws as soon as a client comes where it is more. */
const mostStreams = 2 ** 32 - 1;
const streams: Parser<number> = (text) => {
  const number = positive(integer)(text);
  if (number > mostStreams) throw new Error(`expected at most ${mostStreams}`);
  return number;
};

/** The value of a header. */
const headerText: Parser<string> = (text) => {
  if (!/^[\x20-\x7e]+$/.test(text)) throw new Error("expected the value of a header, in visible ASCII");
  return text;
};

/** Whether there is an access log, or the file that it is also written to. */
const accessLogPlace: Parser<boolean | string> = (text) => {
  if (text.includes("/")) return text;
  try {
    return boolean(text);
  } catch {
    throw new Error("expected true, false, or the path of a file such as /var/log/app/access.log or ./access.log");
  }
};

type HttpSettingsSpec = {
  readonly keepalive_timeout: Reader<number>;
  readonly header_timeout: Reader<number>;
  readonly request_timeout: Reader<number>;
  readonly client_max_size: Reader<number>;
  readonly max_header_size: Reader<number>;
  readonly max_header_count: Reader<number>;
  readonly max_concurrency: Reader<number>;
  readonly max_active_requests: Reader<number>;
  readonly max_keepalive_requests: Reader<number>;
  readonly max_keepalive_time: Reader<number>;
  readonly keepalive_jitter: Reader<number>;
  readonly handler: Reader<string | undefined>;
  readonly health: Reader<boolean>;
  readonly errors: Reader<string | undefined>;
  readonly content_type: Reader<string | undefined>;
  readonly server_header: Reader<string | undefined>;
  readonly access_log: {
    readonly "": Reader<boolean | string>;
    readonly format: Reader<AccessLogFormat>;
    readonly exclude: Reader<readonly Exclusion[]>;
    readonly sample: Reader<number>;
    readonly slow: Reader<number>;
  };
  readonly websocket: { readonly close_over: Reader<number | undefined> };
  readonly real_ip_header: Reader<string>;
  readonly real_ip_from: Reader<readonly string[] | undefined>;
  readonly trusted_proxy_count: Reader<number | undefined>;
  readonly trust_proxy: Reader<readonly string[] | undefined>;
  readonly proxy_protocol: Reader<ProxyVersions | undefined>;
  readonly request_id_header: Reader<string | null | undefined>;
  readonly tls: TlsSpec;
  readonly http2: { readonly "": Reader<boolean>; readonly max_streams: Reader<number> };
};

// Most are `positive`: 0 would mean "no limit" to Node, which nobody wants of a public server; who does can say "1 day".
/** The keys of `[server:…]` that `tsserve/http` has, beside those of every server. */
export const settings: HttpSettingsSpec = {
  keepalive_timeout: setting(
    positive(timespanOrSeconds),
    "75 seconds",
    "How long a connection may idle between requests. Keep it above your balancer's own idle timeout (ALB 60 s, nginx 75 s), or the balancer meets connections that are just being closed.",
  ),
  header_timeout: setting(
    positive(timespanOrSeconds),
    "30 seconds",
    "How long a client may take to send the head of a request; then it gets a 408. At most `request_timeout`, which is also its default where that is shorter.",
  ),
  request_timeout: setting(
    positive(timespanOrSeconds),
    "120 seconds",
    "How long a client may take to send a whole request, head and body; then it gets a 408. At least `header_timeout`.",
  ),
  client_max_size: setting(
    positive(byteSize),
    "1M",
    "The largest request body, in bytes or as 512K, 10M; a larger one gets a 413. A Fastify app that is not made with `context.fastifyOptions` keeps its own `bodyLimit`.",
  ),
  max_header_size: setting(
    positive(byteSize),
    "16K",
    "The largest head of a request (its first line and its header lines), in bytes or as 32K; a larger one gets a 431.",
  ),
  max_header_count: setting(positive(integer), "100", "The most header lines that a request may have; one with more gets a 431."),
  max_concurrency: setting(
    positive(integer),
    "10000",
    "Connections served at once. More wait, unread, until one ends; connections that idle give way to them.",
  ),
  max_active_requests: setting(
    count,
    "0",
    "Requests in progress at once, but for health probes; one more is answered with a 503 and `Retry-After` at once. 0: no limit.",
  ),
  max_keepalive_requests: setting(
    count,
    "0",
    "The answer to so many requests of a connection says `Connection: close`, so that clients that keep theirs come to new instances, too. 0: no limit.",
  ),
  max_keepalive_time: setting(
    timespanOrSeconds,
    "0",
    "A connection of this age closes with its next answer; neither a request nor an idle connection is cut for it. 0: no limit.",
  ),
  keepalive_jitter: setting(
    percent,
    "10%",
    "By how much less, at most, `max_keepalive_requests` and `max_keepalive_time` are for a connection, by lot, so that connections that began together do not end together.",
  ),
  handler: optionalSetting(
    string,
    "A module that wraps or replaces the request handling: `MODULE[:NAME]`, NAME `makeHandler` by default, called with the app's request listener and the server's context; returns a request listener.",
  ),
  health: setting(boolean, "true", "Answer `GET /health` for the app, unless a Fastify, Express or Hono app has such a route itself."),
  errors: optionalSetting(
    string,
    "A module that writes the answers below the app (400, 408, 413, 417, 431, 503): `MODULE[:NAME]`, NAME `renderError` by default, called with `{ status, code, message, requestId }`; returns `{ headers, body }`, at once: a promise is not waited for. One that throws is logged once, and the built-in answer is sent.",
  ),
  content_type: optionalSetting(headerText, "The `Content-Type` of answers that have a body and no type."),
  server_header: optionalSetting(headerText, "The `Server` header of every answer, those below the app too; an app's own wins."),
  access_log: {
    "": setting(
      accessLogPlace,
      "true",
      "Log a line for each request: id, method, route, status, duration, client. A path writes them to that file, too; it is opened anew when it has been renamed.",
    ),
    format: setting(
      oneOf({ json: "json", common: "common", combined: "combined" }),
      "json",
      "How the lines of the file are written: as stdout's JSON, or in one of the forms that web servers have.",
    ),
    exclude: setting(
      tupleOf(exclusion),
      "probes",
      "What has no line: paths, in which `*` stands for anything but a slash and `**` for anything, classes of statuses such as 3xx, or `probes`.",
    ),
    sample: setting(
      percent,
      "100%",
      "The share of lines that are written of answers below 400 that are not slow; they tell it as `sample_rate`.",
    ),
    slow: setting(timespanOrSeconds, "1 second", "An answer that took at least so long always has a line."),
  },
  websocket: {
    close_over: optionalSetting(
      timespanOrSeconds,
      "Over how long the closes of WebSockets are spread from the stop signal on, so that their clients do not all come back at once; `drain_time` where it is absent. An upgrade closes them with 1012, a stop with 1001.",
    ),
  },
  real_ip_header: setting(
    headerName,
    "X-Forwarded-For",
    "The header in which proxies tell the client's address: `X-Forwarded-For`, `Forwarded` (RFC 7239), or one that holds a single address, such as `X-Real-IP` or `CF-Connecting-IP`. No other one is read.",
  ),
  real_ip_from: optionalSetting(
    tupleOf(proxyPattern),
    "The proxies that are believed: addresses, networks such as 10.0.0.0/8, `loopback`, `linklocal`, `uniquelocal`, or `unix` for clients of a unix socket. With it, an app finds the client's address, and that alone, in `X-Forwarded-For`; without, headers of forwarding reach no app.",
  ),
  trusted_proxy_count: optionalSetting(
    positive(integer),
    "How many proxies stand in front. Without `real_ip_from`, whoever connects is believed for so many entries; with it, both must hold. Fewer entries than that: the peer is the client.",
  ),
  trust_proxy: optionalSetting(tupleOf(proxyPattern), "The old name of `real_ip_from`."),
  proxy_protocol: setting(
    oneOf({
      off: undefined,
      v1: { v1: true, v2: false },
      v2: { v1: false, v2: true },
      auto: { v1: true, v2: true },
    }),
    "off",
    "Whether each connection begins with a header of the PROXY protocol, which names the client: `v1`, `v2` or `auto` for both. Then it is required, and only the proxies of `real_ip_from` may send it.",
  ),
  request_id_header: optionalSetting(
    tristate(headerName),
    "The header with the id of a request: taken from the proxies of `real_ip_from` where it is at most 128 letters, digits and `._-`, else the server draws one; it stands in every answer, in the log, and with the `errors` module. Default: `X-Request-Id`; empty: off.",
  ),
  tls: tlsSpec,
  http2: {
    "": setting(
      boolean,
      "false",
      "Speak HTTP/2, too: with TLS where the client chooses it (ALPN), without to clients that know of it (h2c). HTTP/1 stays beside it on the same port. A Fastify app has to be made with `context.fastifyOptions`; Express can't speak it.",
    ),
    max_streams: setting(streams, "100", "Requests that may be in progress at once on a connection of HTTP/2."),
  },
};

export interface HttpSettings {
  readonly keepAliveTimeoutMs: number;
  readonly headerTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly clientMaxBytes: number;
  /** The same, as it is written: for messages. */
  readonly clientMaxSize: string;
  readonly maxHeaderBytes: number;
  readonly maxHeaderLines: number;
  readonly maxConcurrency: number;
  /** 0: no limit. */
  readonly maxActiveRequests: number;
  readonly rotation: Rotation;
  readonly handler: string | undefined;
  readonly health: boolean;
  readonly errors: string | undefined;
  readonly contentType: string | undefined;
  readonly serverHeader: string | undefined;
  readonly accessLog: AccessLogSettings | undefined;
  readonly drainTimeMs: number;
  /** Over how long WebSockets are closed in a stop; `undefined`: over the drain. */
  readonly closeWebSocketsOverMs: number | undefined;
  /** `undefined` where connections begin with the first request. */
  readonly proxyVersions: ProxyVersions | undefined;
  /** `undefined` where requests are given no id by name. */
  readonly requestIdHeader: string | undefined;
  readonly tls: ParsedTls;
  readonly http2: { readonly isOn: boolean; readonly maxStreams: number };
  readonly proxies: ProxySettings;
}

/** @throws {ConfigurationError} */
export function httpSettings(raw: Readonly<Record<string, string>>): HttpSettings {
  const parsed = parseConfig(raw, settings);
  // Who shortens the whole has shortened the part.
  const headerTimeoutMs =
    raw["header_timeout"] === undefined ? Math.min(parsed.header_timeout, parsed.request_timeout) : parsed.header_timeout;
  if (headerTimeoutMs > parsed.request_timeout) {
    // Node would quietly swap the two.
    const message = `expected at most request_timeout (${parsed.request_timeout} ms), since the head is a part of the request`;
    throw new ConfigurationError([{ key: "header_timeout", message, value: raw["header_timeout"] }]);
  }
  if (parsed.trust_proxy !== undefined && parsed.real_ip_from !== undefined) {
    const message = "it is the old name of real_ip_from, which is set as well; expected one of the two";
    throw new ConfigurationError([{ key: "trust_proxy", message, value: raw["trust_proxy"] }]);
  }
  const from = parsed.real_ip_from ?? parsed.trust_proxy ?? [];
  if (parsed.proxy_protocol !== undefined && from.length === 0) {
    const message = "expected real_ip_from beside it: else any client could name any address";
    throw new ConfigurationError([{ key: "proxy_protocol", message, value: raw["proxy_protocol"] }]);
  }
  // That parts of it are missing is found here, where no file is looked at.
  tlsSettings(parsed.tls, "/");
  return {
    proxyVersions: parsed.proxy_protocol,
    requestIdHeader: parsed.request_id_header === null ? undefined : (parsed.request_id_header ?? "X-Request-Id"),
    tls: parsed.tls,
    http2: { isOn: parsed.http2[""], maxStreams: parsed.http2.max_streams },
    keepAliveTimeoutMs: parsed.keepalive_timeout,
    headerTimeoutMs,
    requestTimeoutMs: parsed.request_timeout,
    clientMaxBytes: parsed.client_max_size,
    clientMaxSize: raw["client_max_size"] ?? "1M",
    maxHeaderBytes: parsed.max_header_size,
    maxHeaderLines: parsed.max_header_count,
    maxConcurrency: parsed.max_concurrency,
    maxActiveRequests: parsed.max_active_requests,
    rotation: {
      maxRequests: parsed.max_keepalive_requests,
      maxAgeMs: parsed.max_keepalive_time,
      jitter: parsed.keepalive_jitter,
    },
    handler: parsed.handler,
    health: parsed.health,
    errors: parsed.errors,
    contentType: parsed.content_type,
    serverHeader: parsed.server_header,
    accessLog: accessLogSettings(parsed.access_log),
    drainTimeMs: lifecycleSettings(raw).drainTimeMs,
    closeWebSocketsOverMs: parsed.websocket.close_over,
    proxies: {
      header: parsed.real_ip_header.toLowerCase(),
      from,
      count: parsed.trusted_proxy_count,
    },
  };
}

function accessLogSettings({
  "": where,
  format,
  exclude,
  sample,
  slow,
}: Parsed<HttpSettingsSpec>["access_log"]): AccessLogSettings | undefined {
  if (where === false) return undefined;
  return { path: where === true ? undefined : where, format, exclude, sample, slowMs: slow };
}
