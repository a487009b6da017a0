import { AsyncLocalStorage } from "node:async_hooks";
import { EventEmitter } from "node:events";
import type { Context, ContextManager } from "@opentelemetry/api";

/** By which OpenTelemetry's SDK marks what it does itself, when it sends spans (`suppressTracing` of @opentelemetry/core). */
const suppressed = Symbol.for("OpenTelemetry SDK Context Key SUPPRESS_TRACING");

/**
 * Keeps OpenTelemetry's active context along asynchronous calls, as its interface asks for.
 *
 * On Node 20 and 22 that has its price: as long as an `AsyncLocalStorage` is in use, Node calls hooks for every promise, timer and
 * callback of the process, which costs a small request a third of its time. So until somebody asks for a context, only requests
 * that are recorded enter one, and the storage is put away when the last of them is over. From the first question on, all of them do.
 */
export class RequestContextManager implements ContextManager {
  readonly #storage = new AsyncLocalStorage<Context>();
  readonly #root: Context;
  /** What is in progress within a context, as long as nobody has asked. */
  readonly #entered = new Set<object>();
  #isWanted = false;

  /** @param root OpenTelemetry's empty context */
  constructor(root: Context) {
    this.#root = root;
  }

  /** Whether everything is to run in its context, as somebody may ask for it. */
  get isWanted(): boolean {
    return this.#isWanted;
  }

  /** From now on somebody may ask. */
  want(): void {
    this.#isWanted = true;
    this.#entered.clear();
  }

  /** Runs a request in its context, to its `leave`. */
  enter<T>(request: object, context: Context, run: () => T): T {
    if (!this.#isWanted) this.#entered.add(request);
    return this.#storage.run(context, run);
  }

  /** The request is over. */
  leave(request: object): void {
    if (this.#entered.delete(request) && this.#entered.size === 0 && isHookDriven(this.#storage)) this.#storage.disable();
  }

  /** Runs what is no request's, whichever request calls it. */
  outside<T>(run: () => T): T {
    return this.#storage.getStore() === undefined ? run() : this.#storage.run(this.#root, run);
  }

  active(): Context {
    const context = this.#storage.getStore();
    if (context === undefined) return this.#root;
    if (!this.#isWanted && isOfApp(context, this.#root)) this.want();
    return context;
  }

  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    context: Context,
    run: F,
    self?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    if (!this.#isWanted) {
      // The SDK sends spans, in which nobody asks.
      if (!isOfApp(context, this.#root)) return run.call(self as ThisParameterType<F>, ...args);
      this.want();
    }
    return this.#storage.run(context, () => run.call(self as ThisParameterType<F>, ...args));
  }

  /** Listeners that are added to an emitter afterwards are not bound: the emitter is given back as it is. */
  bind<T>(context: Context, target: T): T {
    if (typeof target !== "function" || target instanceof EventEmitter) return target;
    if (isOfApp(context, this.#root)) this.want();
    const storage = this.#storage;
    const bound = function bound(this: unknown, ...args: unknown[]): unknown {
      return storage.run(context, () => (target as (...all: unknown[]) => unknown).apply(this, args));
    };
    return bound as T;
  }

  enable(): this {
    return this;
  }

  disable(): this {
    this.#storage.disable();
    return this;
  }
}

function isOfApp(context: Context, root: Context): boolean {
  return context !== root && context.getValue(suppressed) !== true;
}

/**
 * Whether the storage is kept by hooks, and puts them away with `disable`. From Node 24 on V8 keeps it, at no cost to others, and
 * `disable` would take it from whatever runs at the moment instead
 * (github.com/nodejs/node/blob/v24.x/lib/internal/async_local_storage, async_hooks.js and async_context_frame.js).
 */
function isHookDriven(storage: object): boolean {
  return "kResourceStore" in storage;
}
