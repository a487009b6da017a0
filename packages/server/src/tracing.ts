import type { TraceIds } from "./trace-scope.ts";

/** The trace that a request belongs to, as its headers say, or a new one; its span is the request's own. */
export interface RequestTrace extends TraceIds {
  /** The caller's span, where there is one. */
  readonly parentId?: string | undefined;
  /** Whether both ids were made here, and nobody else has had a word in them. */
  readonly isNew?: boolean | undefined;
}

/** What is told of a request when it is over. Instants are those of `performance.now()`, in milliseconds. */
export interface RequestSpan {
  /** As OpenTelemetry's semantic conventions name it: `GET /users/:id`. */
  readonly name: string;
  readonly kind: "server" | "consumer" | "internal";
  readonly trace: RequestTrace;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  /** Why it counts as failed; `undefined` for one that succeeded. */
  readonly failure?: string | undefined;
}

/**
 * Where a server tells of its requests, for traces. The server owns the span of a request: it knows method, route, status and
 * both instants already, and nothing has to be patched.
 */
export interface Tracing {
  /**
   * Runs the handling of a request, so that the app's own spans and what it asks of others belong to the request's span; one that is
   * not recorded is run as it is, as long as nobody in the process has ever asked which one it is.
   *
   * @param kind as in `RequestSpan`; a provider of the app's own is told of it at the begin. Default: `server`
   */
  run<T>(trace: RequestTrace, handle: () => T, kind?: RequestSpan["kind"]): T;
  /** Whether this request is recorded: the caller's decision, else a part of all. Decides the same each time for the same trace. */
  records(trace: RequestTrace): boolean;
  /** A request that was run is over, whether or not it is told of. */
  leave(trace: RequestTrace): void;
  /** Tells of a request that is over, and is recorded. */
  record(span: RequestSpan): void;
}
