import { AsyncLocalStorage } from "node:async_hooks";
import type { ThriftContext } from "./thrift-context.ts";

const key = Symbol.for("tsserve.thrift.request");

/** One in a process, even where an app brings a copy of this package of its own. */
export const requestStorage: AsyncLocalStorage<ThriftContext> = ((globalThis as { [key]?: AsyncLocalStorage<ThriftContext> })[key] ??=
  new AsyncLocalStorage<ThriftContext>());

/** The request that the calling code runs for; `undefined` outside of any. */
export function currentRequest(): ThriftContext | undefined {
  return requestStorage.getStore();
}
