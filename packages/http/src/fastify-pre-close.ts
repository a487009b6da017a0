import type { Server } from "node:http";
import { isThenable } from "@tsserve/server";

/** A hook of Fastify's in either of its two forms: with a callback, or giving a promise. */
type CloseHook = (this: unknown, done?: (error?: Error) => void) => unknown;

type AddHook = (this: object, name: string, hook: CloseHook) => unknown;

/** Under which a server keeps the hooks of its Fastify instance, each bound to the plugin that added it. */
const hooksKey: unique symbol = Symbol("tsserve.preClose");

interface HookedServer extends Server {
  [hooksKey]?: (() => Promise<void>)[];
}

/**
 * Fastify runs `preClose` in the same `close()` as `onClose`; plugins end their streams in the one, so that requests can end,
 * and free what requests need in the other. A stop needs them apart: the first when it begins, the second at its end.
 * The `preClose` hooks of an instance that has just been made are noted from now on, and run once, whoever asks first.
 */
export function notePreClose(fastify: { readonly server: Server; addHook: unknown }): void {
  const hooks: (() => Promise<void>)[] = [];
  (fastify.server as HookedServer)[hooksKey] = hooks;
  const addHook = fastify.addHook as AddHook;
  // Plugins are made with this instance as their prototype: they add their hooks by this, too.
  fastify.addHook = function (this: object, name: string, hook: CloseHook): unknown {
    if (name !== "preClose" || typeof hook !== "function") return addHook.call(this, name, hook);
    const run = once(() => callHook(hook, this));
    hooks.push(run);
    return addHook.call(this, name, async () => run());
  };
}

/** Runs the `preClose` hooks of the Fastify instance behind a server, if there is one, in the order in which they were added. */
export async function runPreClose(server: Server, failed: (thrown: unknown) => void): Promise<void> {
  for (const run of (server as HookedServer)[hooksKey] ?? []) {
    try {
      await run();
    } catch (thrown) {
      failed(thrown);
    }
  }
}

function once(run: () => Promise<void>): () => Promise<void> {
  let ran: Promise<void> | undefined;
  return () => (ran ??= run());
}

function callHook(hook: CloseHook, instance: unknown): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (error?: Error): void => (error === undefined || error === null ? resolve() : reject(error));
    const given: unknown = hook.length === 0 ? hook.call(instance) : hook.call(instance, done);
    if (isThenable(given)) Promise.resolve(given).then(() => resolve(), reject);
    else if (hook.length === 0) resolve();
  });
}
