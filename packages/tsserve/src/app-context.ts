import { createRequire } from "node:module";
import { callerPlace } from "@tsserve/config";
import {
  findPeer,
  isThenable,
  ownerOf,
  SERVER_STATE,
  type AppConfig,
  type AppContext,
  type Guard,
  type Health,
  type PoolFigures,
} from "@tsserve/server";
import type { Logger } from "pino";
import type { Registry } from "prom-client";

/** The hooks that an app registered with `onStop`. */
export class StopHooks {
  readonly #hooks: { readonly owner: string; readonly hook: () => unknown }[] = [];
  readonly #guard: Guard;

  constructor(guard: Guard) {
    this.#guard = guard;
  }

  /** How many there are that have not run. */
  get size(): number {
    return this.#hooks.length;
  }

  /** @throws {TypeError} when it is no function */
  add(hook: () => unknown): void {
    if (typeof hook !== "function") throw new TypeError(`expected an onStop hook, a function, found ${typeof hook}`);
    this.#hooks.push({ owner: ownerOf("the onStop hook", hook), hook });
  }

  /**
   * Runs all, last registered first, and goes on past those that fail.
   *
   * @throws when some failed; which, and with what, the guard has told by then
   */
  async run(): Promise<void> {
    const hooks = this.#hooks.splice(0).reverse();
    let failed = 0;
    for (const { owner, hook } of hooks) {
      const ended = await this.#guard.wait(owner, async () => (await hook(), true), false);
      if (!ended) failed += 1;
    }
    if (failed > 0) throw new Error(`${failed} of ${hooks.length} onStop hooks failed`);
  }
}

export interface AppContextParts {
  readonly config: AppConfig;
  readonly log: Logger;
  readonly guard: Guard;
  readonly health: Health;
  readonly stopHooks: StopHooks;
  readonly fastifyOptions: () => object;
  /** The pools that the app registers are entered here. */
  readonly pools: Map<string, () => PoolFigures | undefined>;
  /** The most connections that one process keeps, by pool, where the app tells it. */
  readonly poolMaxima: Map<string, number>;
  /** Of the INI file: from where packages of the app are looked for, beside the file that asks. */
  readonly folder: string;
}

const require = createRequire(import.meta.url);

/** What is handed to an app factory. What an app does not touch costs nothing. */
export function makeAppContext(parts: AppContextParts): AppContext {
  const { config, log, guard, health, stopHooks, fastifyOptions, pools, poolMaxima, folder } = parts;
  let options: object | undefined;
  return {
    config,
    folder,
    log,
    state: SERVER_STATE,
    get metrics(): Registry {
      const asking = callerPlace().replace(/:\d+$/, "");
      const own = findPeer("prom-client", [asking, folder]) as { readonly register?: Registry } | undefined;
      return own?.register ?? (require("prom-client") as { register: Registry }).register;
    },
    get fastifyOptions() {
      return (options ??= fastifyOptions());
    },
    onHealthCheck: (check) => health.add(check),
    onStop: (hook) => stopHooks.add(hook),
    registerPool: (name, figures, limits) => {
      if (pools.has(name)) throw new Error(`a pool named "${name}" is registered already`);
      pools.set(name, guardPool(name, figures, guard));
      if (limits?.max !== undefined) poolMaxima.set(name, positiveMaximum(name, limits.max));
    },
  };
}

/** A pool's figures are asked for again and again: one that fails is told once, until it works again. */
function guardPool(name: string, figures: () => PoolFigures, guard: Guard): () => PoolFigures | undefined {
  if (typeof figures !== "function")
    throw new TypeError(`expected a function with the figures of the pool "${name}", found ${typeof figures}`);
  const owner = ownerOf(`the pool "${name}"`, figures);
  let isTold = false;
  return () => {
    try {
      const given: unknown = figures();
      if (isThenable(given)) {
        given.then(undefined, () => undefined);
        throw new TypeError("expected the pool's figures at once, found a promise");
      }
      const { size, idle, inUse, waiting } = given as Readonly<Record<keyof PoolFigures, unknown>>;
      const numbers = { size: Number(size), idle: Number(idle), inUse: Number(inUse), waiting: Number(waiting) };
      isTold = false;
      return numbers;
    } catch (error) {
      if (!isTold) guard.report(owner, error);
      isTold = true;
      return undefined;
    }
  };
}

function positiveMaximum(name: string, max: unknown): number {
  if (typeof max === "number" && Number.isInteger(max) && max > 0) return max;
  throw new TypeError(`expected { max } of the pool "${name}" to be a number of connections, found ${String(max)}`);
}
