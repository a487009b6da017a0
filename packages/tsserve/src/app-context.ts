import { createRequire } from "node:module";
import { SERVER_STATE, type AppContext, type Health, type PoolFigures } from "@tsserve/server";
import type { Logger } from "pino";
import type { Registry } from "prom-client";

/** The hooks that an app registered with `onStop`. */
export class StopHooks {
  readonly #hooks: (() => unknown)[] = [];

  add(hook: () => unknown): void {
    this.#hooks.push(hook);
  }

  /** Runs all, last registered first; goes on past those that fail, and throws what they threw. */
  async run(): Promise<void> {
    const errors: unknown[] = [];
    for (const hook of this.#hooks.splice(0).reverse()) {
      try {
        await hook();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 1) throw new AggregateError(errors, `${errors.length} onStop hooks failed`);
    if (errors.length === 1) throw errors[0];
  }
}

export interface AppContextParts {
  readonly log: Logger;
  readonly health: Health;
  readonly stopHooks: StopHooks;
  readonly fastifyOptions: () => object;
  /** The pools that the app registers are entered here. */
  readonly pools: Map<string, () => PoolFigures>;
}

const require = createRequire(import.meta.url);

/** What is handed to an app factory. What an app does not touch costs nothing. */
export function makeAppContext({ log, health, stopHooks, fastifyOptions, pools }: AppContextParts): AppContext {
  let options: object | undefined;
  return {
    log,
    state: SERVER_STATE,
    get metrics(): Registry {
      return (require("prom-client") as { register: Registry }).register;
    },
    get fastifyOptions() {
      return (options ??= fastifyOptions());
    },
    onHealthCheck: (check) => health.add(check),
    onStop: (hook) => stopHooks.add(hook),
    registerPool: (name, figures) => {
      if (pools.has(name)) throw new Error(`a pool named "${name}" is registered already`);
      pools.set(name, figures);
    },
  };
}
