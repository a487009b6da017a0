import { AsyncLocalStorage } from "node:async_hooks";

/** The ids by which a trace is continued elsewhere, in W3C's form. */
export interface TraceIds {
  readonly traceId: string;
  readonly spanId: string;
  /** Whether the trace is recorded; `undefined` where nobody has decided. */
  readonly sampled?: boolean | undefined;
  readonly state?: string | undefined;
}

/**
 * Which trace the running code belongs to, for whoever sends something on (a publisher of messages, for one). Costs every
 * request a little, so that servers enter it only when somebody in the process has asked for it.
 */
export class TraceScope {
  #storage: AsyncLocalStorage<() => TraceIds> | undefined;
  /**
   * Whether a trace that nobody has decided on is recorded: what this process says to its own spans. Whoever sends such a trace on says
   * the same, so that those after it record what this process does. `undefined` where nothing is traced.
   */
  decide: ((trace: TraceIds) => boolean) | undefined;

  /** The span of the app's own that the running code is in, or its request's, where this process makes spans: nearer than the request. */
  active: (() => TraceIds | undefined) | undefined;

  /** Whether a server is to enter its requests. */
  get isWanted(): boolean {
    return this.#storage !== undefined;
  }

  /** From now on, requests are entered. To be called before they come: while the app is built. */
  want(): void {
    this.#storage ??= new AsyncLocalStorage();
  }

  /** @param trace is asked only when somebody wants to know */
  run<T>(trace: () => TraceIds, callback: () => T): T {
    return this.#storage === undefined ? callback() : this.#storage.run(trace, callback);
  }

  /** What a call that is made now belongs to. */
  current(): TraceIds | undefined {
    const request = this.#storage?.getStore()?.();
    const active = this.active?.();
    // An id of baseplate's is another one for OpenTelemetry: others know it as it came.
    if (active === undefined || (request !== undefined && request.traceId !== active.traceId)) return request;
    return { ...active, state: request?.state };
  }
}

const key = Symbol.for("tsserve.traceScope");

/** One in a process, even where an app brings a copy of this package of its own. */
export function traceScope(): TraceScope {
  return ((globalThis as { [key]?: TraceScope })[key] ??= new TraceScope());
}
