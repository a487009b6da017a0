import { createServer, type AddressInfo, type Server as NetServer } from "node:net";
import { acceptAlso, stopAccepting, type Listener } from "@tsserve/listener";
import { both, systemClock, type Server, type ServerConfig, type ServerContext } from "@tsserve/server";
import { accessLog } from "./access-log.ts";
import { Connections, lingerOf } from "./connections.ts";
import { Dispatcher } from "./dispatcher.ts";
import { openApp } from "./open-app.ts";
import type { Outcome } from "./outcome.ts";
import { RequestMetrics } from "./request-metrics.ts";
import { thriftSettings } from "./settings.ts";
import type { ThriftRequest } from "./thrift-request.ts";

/**
 * The Thrift server factory. Nothing is bound until `start`.
 *
 * @throws {ConfigurationError} on a bad setting
 * @throws {TypeError} when the app is none that it can serve
 */
export function makeServer(config: ServerConfig, listeners: readonly Listener[], app: unknown, context: ServerContext): Server {
  const settings = thriftSettings(config);
  const methods = openApp(app, context.health);
  const metrics = context.meter === undefined ? undefined : new RequestMetrics(context.meter, context.requests);
  const dispatcher = new Dispatcher({
    methods,
    limits: settings.limits,
    maxPipelined: settings.maxPipelined,
    requests: context.requests,
    log: context.log,
    onEnd: both<ThriftRequest, Outcome>(
      metrics && ((request, outcome) => metrics.ended(request, outcome)),
      settings.accessLog ? accessLog(context.logger("tsserve.access")) : undefined,
    ),
    lingers: lingerOf(systemClock),
  });
  const connections = new Connections(dispatcher, settings, systemClock, () => {
    context.log.warn({ max_concurrency: settings.maxConcurrency }, "max_concurrency is reached: new connections wait");
  });
  const makeAcceptor = (): NetServer => {
    // A client may close its side after its last request, and still wants the answer.
    const acceptor = createServer({ allowHalfOpen: true, noDelay: true });
    connections.addAcceptor(acceptor);
    return acceptor;
  };
  const acceptors = listeners.map(makeAcceptor);
  const close = (): void => {
    for (const acceptor of acceptors) if (acceptor.listening) stopAccepting(acceptor);
  };

  return {
    start: async () => {
      connections.start();
      try {
        for (const [index, listener] of listeners.entries()) await listener.listen(acceptors[index] as NetServer);
      } catch (error) {
        close();
        await connections.end(AbortSignal.abort());
        throw error;
      }
    },
    drain: () => {
      dispatcher.replies.isDraining = true;
    },
    stop: async (deadline) => {
      dispatcher.replies.isDraining = true;
      close();
      return { cut: await connections.end(deadline) };
    },
    accept: (listener) => acceptAlso(listener, makeAcceptor(), acceptors),
    stats: () => ({ openConnections: connections.size, activeRequests: context.requests.size }),
    addresses: () => acceptors.map((acceptor) => printable(acceptor)).filter((address) => address !== undefined),
    routes: () => Promise.resolve([...methods.keys()].map((path) => ({ method: "thrift", path }))),
  };
}

function printable(acceptor: NetServer): string | undefined {
  const address: AddressInfo | string | null = acceptor.address();
  if (address === null || typeof address === "string") return address ?? undefined;
  return `thrift://${address.family === "IPv6" ? `[${address.address}]` : address.address}:${address.port}`;
}
