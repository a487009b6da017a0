import type { Logger } from "pino";
import type { Headers } from "../wire/header-blocks.ts";
import type { Trace } from "./trace.ts";

/** What a handler may know of the request that it answers. */
export interface ThriftContext {
  readonly method: string;
  /** By name, as the client wrote it; values are bytes, here as latin1. Only THeader clients send any. */
  readonly headers: Headers;
  /** A header, whatever the case of its name. */
  header(name: string): string | undefined;
  /** Headers of the answer, for THeader clients. */
  readonly responseHeaders: Map<string, string>;
  readonly trace: Trace;
  /** The bytes of the `Edge-Request` header. */
  readonly edgeRequest: Buffer | undefined;
  /** How long the caller still waits, in milliseconds, by its `Deadline-Budget` header; `undefined` when it does not say. */
  readonly remainingMs: number | undefined;
  /** Aborts when the caller does not wait any more, or has gone. */
  readonly signal: AbortSignal;
  /** The client's address, `undefined` on a unix socket. */
  readonly client: string | undefined;
  /** Logs with the trace's ids. */
  readonly log: Logger;
}
