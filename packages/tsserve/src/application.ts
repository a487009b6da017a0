import { ConfigurationError, type Problem } from "@tsserve/config";
import type { Listener } from "@tsserve/listener";
import {
  ActiveRequests,
  Health,
  Meter,
  SERVER_STATE,
  type AppContext,
  type PoolFigures,
  type Server,
  type ServerContext,
  type ServerFactory,
  type ServerModuleExtras,
} from "@tsserve/server";
import type { Logger } from "pino";
import { makeAppContext, StopHooks } from "./app-context.ts";
import { FactoryError, stackOf } from "./factory-error.ts";
import { loadFunction, type LoadedFunction } from "./load-function.ts";
import { placeOf, type Configuration } from "./read-configuration.ts";

/** What both factories are called with, and how they are called; each of the three functions takes what the one before gave. */
export interface Application {
  readonly requests: ActiveRequests;
  readonly context: AppContext;
  readonly stopHooks: StopHooks;
  /** Where the server counts what it does; `undefined` when metrics are off. */
  readonly meter: Meter | undefined;
  readonly pools: ReadonlyMap<string, () => PoolFigures>;
  /** Loads the app's module, and gives its factory. @throws {FactoryError} */
  loadFactory(): Promise<LoadedFunction>;
  /** @throws {FactoryError} with the message and stack of the user's own error */
  makeApp(factory: LoadedFunction): Promise<unknown>;
  /** Binds nothing. @throws {FactoryError | ConfigurationError} */
  makeServer(app: unknown, listeners: readonly Listener[]): Promise<Server>;
}

/** Readies what both factories are called with. Nothing of the app's is loaded yet. */
export function prepareApplication(configuration: Configuration, log: Logger): Application {
  const { file, server, app, folder, serverFactory } = configuration;
  const extras = serverFactory.module as ServerModuleExtras;
  const requests = new ActiveRequests();
  const meter = configuration.metrics.enabled ? new Meter() : undefined;
  const pools = new Map<string, () => PoolFigures>();
  const health = new Health(SERVER_STATE, (err, probe) => log.warn({ err, probe }, "a health check failed"));
  const stopHooks = new StopHooks();
  const appLog = log.child({ logger: "app" });
  const context = makeAppContext({
    log: appLog,
    health,
    stopHooks,
    pools,
    fastifyOptions: () => extras.fastifyOptions?.(server.values, appLog) ?? { loggerInstance: appLog },
  });
  const serverContext: ServerContext = {
    log: log.child({ logger: "tsserve" }),
    logger: (name) => log.child({ logger: name }),
    state: SERVER_STATE,
    health,
    requests,
    meter,
    loadFunction: async (written, defaultName) => (await loadFunction(written, placeOf(file, server, "handler"), folder, defaultName)).call,
  };
  return {
    requests,
    context,
    stopHooks,
    meter,
    pools,
    loadFactory: () => loadFunction(app.values["factory"] ?? "", placeOf(file, app, "factory"), folder, "makeApp"),
    makeApp: (factory) => callAppFactory(factory, [app.values, context], configuration),
    makeServer: (built, listeners) => {
      const make = serverFactory.call as ServerFactory;
      return callServerFactory(() => make(server.values, listeners, built, serverContext), configuration);
    },
  };
}

async function callAppFactory({ call }: LoadedFunction, args: readonly unknown[], { file, app }: Configuration): Promise<unknown> {
  try {
    return await call(...args);
  } catch (error) {
    const problems = problemsOf(error);
    if (problems !== undefined) throw new ConfigurationError(app.locate(problems));
    throw new FactoryError(`${placeOf(file, app, "factory")}: ${app.values["factory"]} threw:\n${stackOf(error)}`, error);
  }
}

/** What the app's own `parseConfig` found; by its name, because the app may have a copy of the package of its own. */
function problemsOf(error: unknown): readonly Problem[] | undefined {
  if (!(error instanceof Error) || error.name !== "ConfigurationError" || !("problems" in error)) return undefined;
  return error.problems as readonly Problem[];
}

async function callServerFactory(make: () => Server | Promise<Server>, configuration: Configuration): Promise<Server> {
  const { file, server, app } = configuration;
  try {
    return await make();
  } catch (error) {
    const problems = problemsOf(error);
    if (problems !== undefined) throw new ConfigurationError(server.locate(problems));
    if (error instanceof FactoryError) throw error;
    if (error instanceof TypeError && error.message.startsWith("the app factory gave")) {
      throw new FactoryError(`${placeOf(file, app, "factory")}: ${error.message}`, error);
    }
    throw new FactoryError(`${placeOf(file, server, "factory")}: ${server.values["factory"]} threw:\n${stackOf(error)}`, error);
  }
}
