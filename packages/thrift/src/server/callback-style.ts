import { isPromise } from "node:util/types";
import type { Logger } from "pino";
import type { Callable } from "../codec/codec.ts";

/**
 * A handler's method as a function that gives a value or a promise, however it is written: a method that takes
 * one argument more than its service has is in Apache's callback style.
 *
 * @param argumentCount how many arguments the IDL has, the context included where it is passed
 * @param name the method's, for the log
 */
export function plainStyle(method: Callable, argumentCount: number, name: string, log: Logger): Callable {
  if (method.length !== argumentCount + 1) return method;
  const style = new CallbackStyle(name, log);
  return function withCallback(this: unknown, ...values: unknown[]): Promise<unknown> {
    return style.call(method, this, values);
  };
}

/** How a call ends. Nothing in it may lead to the callback, which could never be collected then. */
interface Ending {
  resolve(value: unknown): void;
  reject(error: unknown): void;
  hasCalledBack: boolean;
}

/**
 * Calls one method in callback style. What it gives beside calling back is nobody's answer in that style, but
 * is looked at all the same: a promise that rejects fails the call, and one that gives a value, or a value where
 * a callback was expected, is the sign of a parameter too many, and is warned of once.
 */
class CallbackStyle {
  readonly #name: string;
  readonly #log: Logger;
  #hasWarned = false;
  /** Whether a callback has come after the method had returned: that it does come need not be doubted any more. */
  #callsBackLater = false;
  /** Callbacks that nobody can call any more, as nobody has them. */
  #lost: FinalizationRegistry<{ readonly ending: Ending; readonly given: unknown }> | undefined;

  constructor(name: string, log: Logger) {
    this.#name = name;
    this.#log = log;
  }

  call(method: Callable, self: unknown, values: readonly unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const ending: Ending = { resolve, reject, hasCalledBack: false };
      this.#callWith(callbackOf(ending), ending, method, self, values);
    });
  }

  #callWith(callback: object, ending: Ending, method: Callable, self: unknown, values: readonly unknown[]): void {
    const given: unknown = Reflect.apply(method, self, [...values, callback]);
    if (isWatchable(given)) this.#watch(given, ending);
    else if (!ending.hasCalledBack && !isHandle(given)) {
      if (given !== undefined) this.#warn();
      else if (this.#callsBackLater) return;
      this.#watchCollection(callback, ending, given);
    }
  }

  #watch(promise: PromiseLike<unknown>, ending: Ending): void {
    promise.then(
      (value) => {
        if (ending.hasCalledBack || value === undefined) return;
        this.#warn();
        ending.resolve(value);
      },
      (error: unknown) => {
        if (ending.hasCalledBack) this.#log.error({ err: error, method: this.#name }, "the handler failed after it had called back");
        ending.reject(error);
      },
    );
  }

  /**
   * A value is not taken for the answer at once: `return queue.push({ done })` gives one, and still calls back. When
   * the callback has been collected, it is certain that it never will.
   */
  #watchCollection(callback: object, ending: Ending, given: unknown): void {
    this.#lost ??= new FinalizationRegistry((call) => {
      if (call.ending.hasCalledBack) this.#callsBackLater = true;
      else if (call.given === undefined)
        call.ending.reject(new Error(`${this.#name} gave nothing, and dropped its callback without calling it`));
      else call.ending.resolve(call.given);
    });
    this.#lost.register(callback, { ending, given });
  }

  #warn(): void {
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    this.#log.warn(
      { method: this.#name },
      "the handler's method has one parameter more than the IDL, which makes it one that calls back, but it gave a value: take the parameter away, or call it",
    );
  }
}

function callbackOf(ending: Ending): (error: unknown, value: unknown) => void {
  return (error, value) => {
    ending.hasCalledBack = true;
    if (error === null || error === undefined) ending.resolve(value);
    else ending.reject(error);
  };
}

/** Promises, Bluebird's among them; not whatever has a `then`: a database's query would be sent once more by it. */
function isWatchable(given: unknown): given is PromiseLike<unknown> {
  if (isPromise(given)) return true;
  if (typeof given !== "object" || given === null) return false;
  const prototype = Object.getPrototypeOf(given) as { constructor?: { name?: unknown }; then?: unknown } | null;
  return prototype?.constructor?.name === "Promise" && typeof prototype.then === "function";
}

/** What functions give that go on later: timers, streams, requests. `(a, done) => setTimeout(done, 5)` gives one without meaning to. */
function isHandle(given: unknown): boolean {
  if (typeof given !== "object" || given === null) return false;
  const { ref, hasRef, on, then } = given as Readonly<Record<string, unknown>>;
  return [ref, hasRef, on, then].some((each) => typeof each === "function");
}
