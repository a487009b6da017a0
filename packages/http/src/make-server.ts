import { createServer as createNetServer, type AddressInfo, type Server as NetServer } from "node:net";
import type { RequestListener, Server as HttpServer } from "node:http";
import { factoryThrew, notAFunction } from "@tsserve/config";
import { acceptAlso, stopAccepting, type Listener } from "@tsserve/listener";
import { both, systemClock, type Server, type ServerConfig, type ServerContext } from "@tsserve/server";
import { accessLog } from "./access-log.ts";
import { Connections } from "./connections.ts";
import { guardListener } from "./guard-listener.ts";
import { answerHealth } from "./health-endpoint.ts";
import { openApp, type HttpApp } from "./http-app.ts";
import type { HttpRequest } from "./http-request.ts";
import { countBody } from "./count-body.ts";
import { RequestMetrics } from "./request-metrics.ts";
import { closeAfterResponse, trackRequests, trackUpgrades } from "./requests.ts";
import { httpSettings, type HttpSettings } from "./settings.ts";
import { trustedProxies } from "./trusted-proxies.ts";

/** What a `handler` module exports: wraps or replaces the app's request listener. */
export type HandlerFactory = (next: RequestListener, context: ServerContext) => RequestListener | Promise<RequestListener>;

/**
 * The HTTP server factory. Nothing is bound until `start`.
 *
 * @throws {ConfigurationError} on a bad setting
 * @throws {TsserveError} when the app is none that it can serve
 */
export async function makeServer(
  config: ServerConfig,
  listeners: readonly Listener[],
  app: unknown,
  context: ServerContext,
): Promise<Server> {
  const settings = httpSettings(config);
  const opened = await openApp(app, settings, context.log);
  const { server } = opened;
  applyTimeouts(server, settings);
  const connections = new Connections(settings.maxConcurrency, systemClock, () => {
    context.log.warn({ max_concurrency: settings.maxConcurrency }, "max_concurrency is reached: new connections wait");
  });
  let draining = false;
  await wrapHandling(opened, settings, context, () => draining);
  trackUpgrades(server, context.requests);
  const acceptors: NetServer[] = [server, ...listeners.slice(1).map(() => acceptorFor(server))];
  connections.attach(server);
  for (const acceptor of acceptors) connections.addAcceptor(acceptor);
  let ending = false;
  const ended = endOf(server, () => ending);

  return {
    start: async () => {
      try {
        for (const [index, listener] of listeners.entries()) {
          if (index === 0) await opened.listen(listener);
          else await listener.listen(acceptors[index] as NetServer);
        }
      } catch (error) {
        ending = true;
        for (const acceptor of acceptors) if (acceptor.listening) stopAccepting(acceptor);
        throw error;
      }
    },
    drain: () => {
      draining = true;
      connections.drain();
      closeAfterResponse(context.requests);
    },
    stop: async (deadline) => {
      ending = true;
      if (!draining) connections.drain();
      draining = true;
      closeAfterResponse(context.requests);
      for (const acceptor of acceptors) if (acceptor.listening) stopAccepting(acceptor);
      const cut = await connections.end(deadline);
      await opened.close();
      return { cut: cut.length };
    },
    accept: async (listener) => {
      const acceptor = acceptorFor(server);
      connections.addAcceptor(acceptor);
      return acceptAlso(listener, acceptor, acceptors);
    },
    stats: () => ({ openConnections: connections.size, activeRequests: context.requests.size }),
    addresses: () => acceptors.map((acceptor) => printable(acceptor)).filter((address) => address !== undefined),
    routes: () => Promise.resolve(opened.routes),
    ended,
  };
}

function applyTimeouts(server: HttpServer, settings: HttpSettings): void {
  server.keepAliveTimeout = settings.keepAliveTimeoutMs;
  server.headersTimeout = settings.headerTimeoutMs;
  server.requestTimeout = settings.requestTimeoutMs;
  // Node looks only every 30 s, so that a limit of 5 s could last for 35. Read when the server begins to listen.
  const checking = Math.min(Math.max(settings.headerTimeoutMs / 4, 100), 5000);
  (server as HttpServer & { connectionsCheckingInterval: number }).connectionsCheckingInterval = checking;
}

/** Outermost first: tracking, health, the `handler` module, the app. */
async function wrapHandling(opened: HttpApp, settings: HttpSettings, context: ServerContext, isDraining: () => boolean): Promise<void> {
  const { server } = opened;
  const listeners = server.rawListeners("request") as RequestListener[];
  let handle: RequestListener = (request, response) => {
    for (const listener of listeners) listener.call(server, request, response);
  };
  if (listeners.length === 1 && listeners[0] !== undefined) handle = listeners[0].bind(server);
  if (settings.handler !== undefined) handle = await loadHandler(settings.handler, handle, context);
  if (settings.health && !opened.ownsHealth) handle = answerHealth(handle, context.health, context.log);
  const log = settings.accessLog ? accessLog(context.logger("tsserve.access"), trustedProxies(settings.trustedProxies)) : undefined;
  const metrics = context.meter === undefined ? undefined : new RequestMetrics(context.meter, context.requests);
  server.removeAllListeners("request");
  server.on(
    "request",
    trackRequests(handle, {
      requests: context.requests,
      isDraining,
      onBegin: metrics === undefined ? undefined : countBody,
      onEnd: both<HttpRequest, number>(metrics && ((request, endedAt) => metrics.ended(request, endedAt)), log),
    }),
  );
}

async function loadHandler(written: string, next: RequestListener, context: ServerContext): Promise<RequestListener> {
  const factory = (await context.loadFunction(written, "makeHandler")) as unknown as HandlerFactory;
  let handler: unknown;
  try {
    handler = await factory(next, context);
  } catch (error) {
    throw factoryThrew(context.placeOf("handler"), written, error);
  }
  if (typeof handler !== "function")
    throw notAFunction(context.placeOf("handler"), `what ${written} gave`, `a ${typeof handler}`, "a function (request, response)");
  return guardListener(handler as RequestListener, `the handler ${written}`, context.log);
}

/** Accepts in another place for the same server, which parses and answers. */
function acceptorFor(server: HttpServer): NetServer {
  const acceptor = createNetServer({ allowHalfOpen: true, noDelay: true }, (socket) => server.emit("connection", socket));
  return acceptor;
}

/** Resolves when the server closes though nobody asked it to, as when an app calls `app.close()` itself. */
function endOf(server: HttpServer, isExpected: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    server.once("close", () => {
      if (!isExpected()) resolve();
    });
  });
}

function printable(acceptor: NetServer): string | undefined {
  const address: AddressInfo | string | null = acceptor.address();
  if (address === null || typeof address === "string") return address ?? undefined;
  return `http://${address.family === "IPv6" ? `[${address.address}]` : address.address}:${address.port}`;
}
