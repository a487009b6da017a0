import { boolean, byteSize, integer, parseConfig, positive, setting, timespanOrSeconds, type Reader } from "@tsserve/config";
import { defaultLimits, type WireLimits } from "../wire/limits.ts";

type ThriftSettingsSpec = {
  readonly max_concurrency: Reader<number>;
  readonly max_pipelined: Reader<number>;
  readonly idle_timeout: Reader<number>;
  readonly receive_timeout: Reader<number>;
  readonly max_frame_size: Reader<number>;
  readonly max_string_size: Reader<number>;
  readonly max_container_size: Reader<number>;
  readonly max_depth: Reader<number>;
  readonly access_log: Reader<boolean>;
};

/** The keys of `[server:…]` that `tsserve/thrift` has, beside those of every server. */
export const settings: ThriftSettingsSpec = {
  max_concurrency: setting(
    positive(integer),
    "10000",
    "Connections served at once. More wait, unread, until one ends; connections that idle give way to them.",
  ),
  max_pipelined: setting(
    positive(integer),
    "128",
    "Requests in progress on one connection; what it sends beyond them is not read until one ends.",
  ),
  idle_timeout: setting(
    positive(timespanOrSeconds),
    "10 minutes",
    "How long a connection may idle between requests. Keep it above the age at which your clients' pools give connections up.",
  ),
  receive_timeout: setting(
    positive(timespanOrSeconds),
    "30 seconds",
    "How long a client may take to send one message; then its connection is closed.",
  ),
  max_frame_size: setting(
    positive(byteSize),
    String(defaultLimits.maxFrameBytes),
    "The longest frame, or unframed message, in bytes or as 512K, 10M; a longer one closes its connection. A zlib payload may not inflate to more.",
  ),
  max_string_size: setting(positive(byteSize), String(defaultLimits.maxStringBytes), "The longest text or binary in a message."),
  max_container_size: setting(
    positive(integer),
    String(defaultLimits.maxContainerElements),
    "The most elements in all lists, sets and maps of one message together: a byte on the wire may be hundreds in memory.",
  ),
  max_depth: setting(positive(integer), String(defaultLimits.maxDepth), "How deep structs and containers of a message may nest."),
  access_log: setting(boolean, "true", "Log a line for each request: method, outcome, duration, client, trace."),
};

export interface ThriftSettings {
  readonly maxConcurrency: number;
  readonly maxPipelined: number;
  readonly idleTimeoutMs: number;
  readonly receiveTimeoutMs: number;
  readonly accessLog: boolean;
  readonly limits: WireLimits;
}

/** @throws {ConfigurationError} */
export function thriftSettings(raw: Readonly<Record<string, string>>): ThriftSettings {
  const parsed = parseConfig(raw, settings);
  return {
    maxConcurrency: parsed.max_concurrency,
    maxPipelined: parsed.max_pipelined,
    idleTimeoutMs: parsed.idle_timeout,
    receiveTimeoutMs: parsed.receive_timeout,
    accessLog: parsed.access_log,
    limits: {
      ...defaultLimits,
      maxFrameBytes: parsed.max_frame_size,
      maxStringBytes: parsed.max_string_size,
      maxContainerElements: parsed.max_container_size,
      maxDepth: parsed.max_depth,
    },
  };
}
