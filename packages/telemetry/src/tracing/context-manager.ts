import { AsyncLocalStorage } from "node:async_hooks";
import { EventEmitter } from "node:events";
import type { Context, ContextManager } from "@opentelemetry/api";

/** Keeps OpenTelemetry's active context along asynchronous calls, as its interface asks for. */
export class RequestContextManager implements ContextManager {
  readonly #storage = new AsyncLocalStorage<Context>();
  readonly #root: Context;

  /** @param root OpenTelemetry's empty context */
  constructor(root: Context) {
    this.#root = root;
  }

  active(): Context {
    return this.#storage.getStore() ?? this.#root;
  }

  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    context: Context,
    run: F,
    self?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    return this.#storage.run(context, () => run.call(self as ThisParameterType<F>, ...args));
  }

  /** Listeners that are added to an emitter afterwards are not bound: the emitter is given back as it is. */
  bind<T>(context: Context, target: T): T {
    if (typeof target !== "function" || target instanceof EventEmitter) return target;
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
