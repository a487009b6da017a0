import { ConfigurationError, parseConfig, unknownKeys, type Spec } from "@tsserve/config";
import { boundListeners, type Listener } from "@tsserve/listener";
import { ActiveRequests, commonSettings, Health, SERVER_STATE, type AppContext, type Server, type ServerContext, type ServerFactory, type ServerModuleExtras } from "@tsserve/server";
import type { Logger } from "pino";
import { makeAppContext, StopHooks } from "./app-context.ts";
import { FactoryError, stackOf } from "./factory-error.ts";
import { loadFunction, type LoadedFunction } from "./load-function.ts";
import { located, type Configuration } from "./read-configuration.ts";

/** What is built from a configuration, in the order in which it is built. */
export interface Application {
  readonly requests: ActiveRequests;
  readonly context: AppContext;
  readonly stopHooks: StopHooks;
  /** @throws {FactoryError} with the message and stack of the user's own error */
  makeApp(): Promise<unknown>;
  /** Binds nothing. @throws {FactoryError | ConfigurationError} */
  makeServer(app: unknown, listeners: readonly Listener[]): Promise<Server>;
}

/**
 * Loads the modules of both factories and checks the server's settings.
 *
 * @throws {ConfigurationError | FactoryError}
 */
export async function loadApplication(configuration: Configuration, log: Logger): Promise<Application> {
  const { server, app, folder } = configuration;
  const serverPlace = placeOf(configuration, "server");
  const appPlace = placeOf(configuration, "app");
  const serverFactory = await loadFunction(server.values["factory"] ?? "", serverPlace, folder, "makeServer");
  const extras = serverFactory.module as ServerModuleExtras;
  located(server, () => checkServerSettings(server.values, extras));
  const appFactory = await loadFunction(app.values["factory"] ?? "", appPlace, folder, "makeApp");
  const requests = new ActiveRequests();
  const health = new Health(SERVER_STATE, (err, probe) => log.warn({ err, probe }, "a health check failed"));
  const stopHooks = new StopHooks();
  const appLog = log.child({ logger: "app" });
  const context = makeAppContext({ log: appLog, health, stopHooks, fastifyOptions: () => extras.fastifyOptions?.(server.values, appLog) ?? { loggerInstance: appLog } });
  const serverContext: ServerContext = {
    log: log.child({ logger: "tsserve" }),
    logger: (name) => log.child({ logger: name }),
    state: SERVER_STATE,
    health,
    requests,
    loadFunction: async (written, defaultName) => (await loadFunction(written, placeOf(configuration, "server", "handler"), folder, defaultName)).call,
  };
  return {
    requests,
    context,
    stopHooks,
    makeApp: () => callFactory(appFactory, [app.values, context], `${appPlace}: ${app.values["factory"]}`),
    makeServer: (built, listeners) => {
      const make = serverFactory.call as ServerFactory;
      return callServerFactory(() => make(server.values, listeners, built, serverContext), configuration);
    },
  };
}

/** Where the listeners of `--bind` will be. @throws {ListenError} */
export async function listenersFor(endpoints: readonly Parameters<typeof boundListeners>[0][]): Promise<Listener[]> {
  return (await Promise.all(endpoints.map((endpoint) => boundListeners(endpoint)))).flat();
}

function checkServerSettings(values: Readonly<Record<string, string>>, extras: ServerModuleExtras): void {
  // A factory that does not say what it knows has to see to its keys itself.
  if (extras.settings === undefined) return;
  const spec = { ...commonSettings, ...(extras.settings as Readonly<Record<string, Spec>>) };
  const problems = unknownKeys(values, spec);
  try {
    parseConfig(values, spec);
    extras.parseSettings?.(values);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    problems.push(...error.problems);
  }
  if (problems.length > 0) throw new ConfigurationError(problems);
}

async function callFactory(factory: LoadedFunction, args: readonly unknown[], place: string): Promise<unknown> {
  try {
    return await factory.call(...args);
  } catch (error) {
    throw new FactoryError(`${place} threw:\n${stackOf(error)}`, error);
  }
}

async function callServerFactory(make: () => Server | Promise<Server>, configuration: Configuration): Promise<Server> {
  const { server } = configuration;
  try {
    return await make();
  } catch (error) {
    if (error instanceof ConfigurationError) throw new ConfigurationError(server.locate(error.problems));
    if (error instanceof FactoryError) throw error;
    if (error instanceof TypeError && error.message.startsWith("the app factory gave")) {
      throw new FactoryError(`${placeOf(configuration, "app")}: ${error.message}`, error);
    }
    throw new FactoryError(`${placeOf(configuration, "server")}: ${server.values["factory"]} threw:\n${stackOf(error)}`, error);
  }
}

/** `myapp.ini:3: [app:main] factory` */
function placeOf(configuration: Pick<Configuration, "file" | "app" | "server">, kind: "app" | "server", key = "factory"): string {
  const section = configuration[kind];
  const [problem] = section.locate([{ key, message: "", value: undefined }]);
  return `${configuration.file}:${problem?.line}: [${section.name}] ${key}`;
}
