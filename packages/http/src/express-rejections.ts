import type { IncomingMessage, ServerResponse } from "node:http";
import { isThenable } from "@tsserve/server";

type Next = (error?: unknown) => void;
type Handle = (...values: unknown[]) => unknown;

/** Calls one middleware or handler: the methods that Express 4 runs all of the app's functions by. */
interface Layer {
  readonly handle: Handle;
  handle_request(incoming: IncomingMessage, response: ServerResponse, next: Next): void;
  handle_error(error: unknown, incoming: IncomingMessage, response: ServerResponse, next: Next): void;
}

/** What is used of an app of Express 4. */
interface ExpressFour {
  /** Makes the router, which has a layer then. */
  lazyrouter?: () => void;
  readonly _router?: { readonly stack?: readonly Layer[] };
}

const caughtKey: unique symbol = Symbol("tsserve.caught");

/**
 * Express 4 drops the promise that an `async` handler gives, so that one that rejects would be the end of the process. From here
 * on it goes where an error that is thrown goes, as in Express 5: to the app's error handlers, and to Express's own.
 *
 * All layers of a copy of Express have one prototype, which is reached from the app, whichever copy made it
 * (github.com/expressjs/express/blob/4.x/lib/router/layer.js).
 */
export function catchRejections(app: object): void {
  const four = app as ExpressFour;
  if (typeof four.lazyrouter !== "function") return;
  four.lazyrouter();
  const layer = four._router?.stack?.[0];
  const prototype = layer === undefined ? undefined : (Object.getPrototypeOf(layer) as Layer & { [caughtKey]?: true });
  if (prototype === undefined || prototype[caughtKey] === true) return;
  if (!Object.hasOwn(prototype, "handle_request") || !Object.hasOwn(prototype, "handle_error")) return;
  prototype[caughtKey] = true;
  // How many parameters a function has tells whether it takes errors.
  prototype.handle_request = function (incoming, response, next) {
    if (this.handle.length > 3) next();
    else call(this.handle, [incoming, response, next], next);
  };
  prototype.handle_error = function (error, incoming, response, next) {
    if (this.handle.length === 4) call(this.handle, [error, incoming, response, next], next);
    else next(error);
  };
}

function call(handle: Handle, values: readonly unknown[], next: Next): void {
  try {
    const given = handle(...values);
    if (isThenable(given)) void failWith(given, next);
  } catch (thrown) {
    next(thrown);
  }
}

/** As Express 5 does: what a promise is rejected with goes on, and its value is nobody's. */
async function failWith(given: PromiseLike<unknown>, next: Next): Promise<void> {
  try {
    await given;
  } catch (thrown) {
    next(thrown ?? new Error("a handler's promise was rejected"));
  }
}
