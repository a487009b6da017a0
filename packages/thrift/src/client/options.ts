import { endpoint as parseEndpoint, formatEndpoint, type Endpoint } from "@tsserve/config";
import type { Registry } from "prom-client";
import { defaultLimits, type WireLimits } from "../wire/limits.ts";
import type { ProtocolName } from "../wire/types.ts";

/** How a client's messages are wrapped: `header` (THeader) carries headers, and what baseplate's services expect. */
export type ClientForm = `${"framed" | "unframed" | "header"} ${ProtocolName}`;

export interface ClientOptions {
  /** Where the service is: `host:port`, `[::1]:9090`, `/run/app.sock`. */
  readonly endpoint: string | Endpoint;
  /** Default `header compact`. */
  readonly form?: ClientForm;
  /** The most connections at once; calls beyond them wait. Default 10. */
  readonly size?: number;
  /** How many calls may be outstanding on one connection. Default 1: more needs a server that answers them all. */
  readonly maxPipelined?: number;
  /** The limit of each: connecting, waiting for a connection, and a call. Milliseconds, default 1000. */
  readonly timeoutMs?: number;
  /** A connection that is older is not used again. Milliseconds, default 60,000. */
  readonly maxAgeMs?: number;
  /** How often connecting is tried for one call. Default 3. */
  readonly maxConnectionAttempts?: number;
  /** Sent as `User-Agent`: the name of the calling service. */
  readonly userAgent?: string;
  /** The label `thrift_client_name` of the metrics, and the pool's name. Default: the endpoint. */
  readonly name?: string;
  /** Where the `thrift_client_*` metrics are registered: `context.metrics`. Default: nowhere. */
  readonly metrics?: Registry;
  /** Default: those of a server. */
  readonly limits?: Partial<WireLimits>;
}

export interface ClientSettings {
  readonly endpoint: Endpoint;
  readonly wrapping: "framed" | "unframed" | "header";
  readonly protocol: ProtocolName;
  readonly size: number;
  readonly maxPipelined: number;
  readonly timeoutMs: number;
  readonly maxAgeMs: number;
  readonly maxConnectionAttempts: number;
  readonly userAgent: string | undefined;
  readonly name: string;
  readonly metrics: Registry | undefined;
  readonly limits: WireLimits;
}

/** @throws {TypeError} for an option that can't be */
export function clientSettings(options: ClientOptions): ClientSettings {
  const endpoint = typeof options.endpoint === "string" ? parseEndpoint(options.endpoint) : options.endpoint;
  const form = options.form ?? "header compact";
  const [, wrapping, protocol] = /^(framed|unframed|header) (binary|compact)$/.exec(form) ?? [];
  if (wrapping === undefined || protocol === undefined)
    throw new TypeError(
      `form: expected framed, unframed or header, and binary or compact, such as "header compact", found ${JSON.stringify(form)}`,
    );
  return {
    endpoint,
    wrapping: wrapping as ClientSettings["wrapping"],
    protocol: protocol as ProtocolName,
    size: positive("size", options.size, 10),
    maxPipelined: positive("maxPipelined", options.maxPipelined, 1),
    timeoutMs: positive("timeoutMs", options.timeoutMs, 1000),
    maxAgeMs: positive("maxAgeMs", options.maxAgeMs, 60_000),
    maxConnectionAttempts: positive("maxConnectionAttempts", options.maxConnectionAttempts, 3),
    userAgent: options.userAgent,
    name: options.name ?? formatEndpoint(endpoint),
    metrics: options.metrics,
    limits: { ...defaultLimits, ...options.limits },
  };
}

function positive(name: string, value: number | undefined, otherwise: number): number {
  if (value === undefined) return otherwise;
  if (typeof value !== "number" || !(value > 0)) throw new TypeError(`${name}: expected a number above 0, found ${String(value)}`);
  return value;
}
