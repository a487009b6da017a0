import type { Logger } from "pino";
import type { Registry } from "prom-client";
import type { HealthCheck } from "./health.ts";
import type { ServerState } from "./state.ts";

/** The options of an `[app:…]` section: what was written, dots kept, references expanded. */
export type AppConfig = Readonly<Record<string, string>>;

/** The figures of a connection pool. */
export interface PoolFigures {
  readonly size: number;
  readonly idle: number;
  readonly inUse: number;
  readonly waiting: number;
}

/** What an app factory is handed beside its options. */
export interface AppContext {
  /** The options of the app's section, as its factory gets them. */
  readonly config: AppConfig;
  /** The folder of the INI file, from which paths of the section are meant. */
  readonly folder: string;
  readonly log: Logger;
  /** prom-client's default registry. */
  readonly metrics: Registry;
  readonly state: ServerState;
  /** What the `[server:…]` section says, ready for `Fastify(…)`: logger, proxies, body limit, timeouts. */
  // `FastifyHttpOptions` would tie every app to one Fastify version, and `any` would choose Fastify's HTTP/2 overload.
  readonly fastifyOptions: object;
  /** Adds a check to the built-in health probes: `false`, an error or no answer within 5 s is unhealthy. */
  onHealthCheck(check: HealthCheck): void;
  /** Runs after the server has stopped, last registered first, within the stop timeout. */
  onStop(hook: () => unknown): void;
  /**
   * Names a connection pool whose figures are to be reported.
   *
   * @param limits how many connections one process keeps at most, to be compared with `pool.NAME.max_connections`
   */
  registerPool(name: string, figures: () => PoolFigures, limits?: { readonly max?: number }): void;
}

/** The user's function that builds the application. */
export type AppFactory<App = unknown> = (config: AppConfig, context: AppContext) => App | Promise<App>;
