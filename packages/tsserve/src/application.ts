import { ConfigurationError, factoryThrew, isConfigurationError, isTsserveError, placed } from "@tsserve/config";
import type { Listener } from "@tsserve/listener";
import {
  ActiveRequests,
  Health,
  makeGuard,
  Meter,
  SERVER_STATE,
  type AppContext,
  type Guard,
  type PoolFigures,
  type Server,
  type ServerContext,
  type ServerFactory,
  type ServerModuleExtras,
  type Tracing,
} from "@tsserve/server";
import type { PoolUsers } from "@tsserve/deploy";
import type { Logger } from "pino";
import { makeAppContext, StopHooks } from "./app-context.ts";
import { guardServer } from "./guard-server.ts";
import { loadFunction, type LoadedFunction } from "./load-function.ts";
import { placeOf, type Configuration } from "./configuration.ts";
import { checkPools } from "./pools/check-pools.ts";
import { watchListen } from "./watch-listen.ts";

/** Within an object: whoever waits for an app that has a `then` for a method, as itty-router's router has, waits for ever. */
export interface BuiltApp {
  readonly app: unknown;
}

/** What both factories are called with, and how they are called; each of the three functions takes what the one before gave. */
export interface Application {
  readonly requests: ActiveRequests;
  readonly context: AppContext;
  readonly stopHooks: StopHooks;
  /** Where the server counts what it does; `undefined` when metrics are off. */
  readonly meter: Meter | undefined;
  readonly pools: ReadonlyMap<string, () => PoolFigures | undefined>;
  readonly health: Health;
  /** Loads the app's module, and gives its factory. @throws {TsserveError} */
  loadFactory(): Promise<LoadedFunction>;
  /** @throws {TsserveError} with the message and stack of the user's own error */
  makeApp(factory: LoadedFunction): Promise<BuiltApp>;
  /** Binds nothing. @throws {TsserveError} */
  makeServer(built: BuiltApp, listeners: readonly Listener[], tracing?: Tracing): Promise<Server>;
}

/**
 * Loads the server factory's module, and readies what both factories are called with. Nothing of the app's is loaded yet:
 * ours for HTTP has to be there before the app's framework is.
 *
 * @throws {FactoryError}
 */
export async function prepareApplication(configuration: Configuration, log: Logger, fleetSecret?: Buffer): Promise<Application> {
  const { file, server, app, folder } = configuration;
  const serverFactory = await loadFunction(server.values["factory"] ?? "", placeOf(file, server, "factory"), folder, "makeServer");
  const extras = serverFactory.module as ServerModuleExtras;
  extras.prepare?.();
  const requests = new ActiveRequests();
  const meter = configuration.metrics.enabled ? new Meter((text) => configuration.masker.mask(text)) : undefined;
  const pools = new Map<string, () => PoolFigures | undefined>();
  const poolMaxima = new Map<string, number>();
  const health = new Health(SERVER_STATE, (err, probe, owner) => log.warn({ err, probe, owner }, "a health check failed"));
  const appLog = log.child({ logger: "app" });
  const ownLog = log.child({ logger: "tsserve" });
  const guard = makeGuard((owner, err) => ownLog.error({ owner, err }, `${owner} failed`));
  const stopHooks = new StopHooks(guard);
  const context = makeAppContext({
    config: app.values,
    log: appLog,
    guard,
    health,
    stopHooks,
    pools,
    poolMaxima,
    folder,
    fastifyOptions: () => extras.fastifyOptions?.(server.values, appLog) ?? { loggerInstance: appLog },
  });
  const serverContext: ServerContext = {
    log: ownLog,
    guard,
    folder,
    fleetSecret,
    placeOf: (key) => placeOf(file, server, key),
    logger: (name) => log.child({ logger: name }),
    state: SERVER_STATE,
    health,
    requests,
    meter,
    loadFunction: async (written, defaultName) =>
      (await loadFunction(written, placeOf(file, server, keyWith(written, server.values)), folder, defaultName)).call,
  };
  const watched = async <T>(run: () => Promise<T>): Promise<T> => {
    const end = watchListen((place, where) => ownLog.warn({ place, where }, listensItself(place, where)));
    try {
      return await run();
    } finally {
      end();
    }
  };
  return {
    requests,
    context,
    stopHooks,
    meter,
    pools,
    health,
    loadFactory: () =>
      watched(() => loadFunction(app.values["factory"] ?? "", placeOf(file, app, "factory"), folder, "makeApp", extras.isApp)),
    makeApp: async (factory) => {
      const built = await watched(() => callAppFactory(factory, [app.values, context], configuration, extras.isApp));
      if (configuration.pools.size > 0)
        checkPools({ settings: configuration.pools, maxima: poolMaxima, users: poolUsers(configuration), section: app }, ownLog);
      return built;
    },
    makeServer: ({ app: given }, listeners, tracing) => {
      const make = serverFactory.call as ServerFactory;
      return callServerFactory(() => make(server.values, listeners, given, { ...serverContext, tracing }), configuration, guard);
    },
  };
}

function listensItself(place: string, where: string): string {
  return `the app listens on ${where} itself (${place}): that port has no limits, no drain and no metrics, and with workers only one has it`;
}

function poolUsers({ master }: Configuration): PoolUsers {
  return { workers: master.workers ?? 1, hasMaster: master.workers !== undefined, upgrade: master.upgradeMode };
}

async function callAppFactory(
  { call }: LoadedFunction,
  args: readonly unknown[],
  { file, app }: Configuration,
  isApp: (value: unknown) => boolean = () => false,
): Promise<BuiltApp> {
  try {
    const given = call(...args);
    return { app: isApp(given) ? given : await given };
  } catch (error) {
    if (isConfigurationError(error)) throw new ConfigurationError(app.locate(error.problems));
    const hint = takesRequests(call)
      ? ", which was called with (config, context): a function (request, response) is what a factory gives"
      : "";
    throw factoryThrew(placeOf(file, app, "factory"), app.values["factory"] ?? "", error, hint);
  }
}

/** Whether it is a request listener by the names of its parameters. */
function takesRequests(call: LoadedFunction["call"]): boolean {
  return /^(?:async\s+)?(?:function\b[^(]*)?\(\s*req(?:uest)?\s*,\s*res(?:ponse)?\b/.test(String(call).slice(0, 200));
}

async function callServerFactory(make: () => Server | Promise<Server>, configuration: Configuration, guard: Guard): Promise<Server> {
  const { file, server, app } = configuration;
  try {
    return guardServer(await make(), guard);
  } catch (error) {
    if (isConfigurationError(error))
      // What a server factory finds wrong with the app says so.
      throw new ConfigurationError(error.problems.flatMap((problem) => (problem.section === "app" ? app : server).locate([problem])));
    if (isTsserveError(error, "ERR_TSSERVE_APP_KIND")) throw placed(placeOf(file, app, "factory"), error);
    if (isTsserveError(error, "ERR_TSSERVE_SERVER_KIND")) throw placed(placeOf(file, server, "factory"), error);
    if (isTsserveError(error)) throw error;
    throw factoryThrew(placeOf(file, server, "factory"), server.values["factory"] ?? "", error);
  }
}

/** Which setting of a server names a module. */
function keyWith(written: string, values: Readonly<Record<string, string>>): string {
  return Object.keys(values).find((key) => key !== "factory" && values[key] === written) ?? "handler";
}
