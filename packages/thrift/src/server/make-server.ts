import { createServer, type AddressInfo, type Server as NetServer } from "node:net";
import { acceptAlso, endAccepting, leaveSocket, stopAccepting, type Listener } from "@tsserve/listener";
import { parseConfig } from "@tsserve/config";
import { both, commonSettings, Descriptors, systemClock, type Server, type ServerConfig, type ServerContext } from "@tsserve/server";
import { accessLog } from "./access-log.ts";
import { Answers } from "./answers.ts";
import { Connections, lingerOf } from "./connections.ts";
import { Dispatcher } from "./dispatcher.ts";
import { openApp } from "./open-app.ts";
import type { Outcome } from "./outcome.ts";
import { Replies } from "./replies.ts";
import { RequestMetrics } from "./request-metrics.ts";
import { thriftSettings } from "./settings.ts";
import type { ThriftRequest } from "./thrift-request.ts";
import { makeCallHandler, traceEnd } from "./trace-requests.ts";

/** How long a stop waits for a client to pause between its calls, at most. */
const longestPatienceMs = 1000;

/**
 * The Thrift server factory. Nothing is bound until `start`.
 *
 * @throws {ConfigurationError} on a bad setting
 * @throws {TypeError} when the app is none that it can serve
 */
export function makeServer(config: ServerConfig, listeners: readonly Listener[], app: unknown, context: ServerContext): Server {
  const settings = thriftSettings(config);
  const { stop_timeout: stopTimeoutMs } = parseConfig(config, { stop_timeout: commonSettings.stop_timeout });
  const { requests, log, tracing } = context;
  const methods = openApp(app, context.health, log);
  const metrics = context.meter === undefined ? undefined : new RequestMetrics(context.meter, requests);
  const replies = new Replies(log);
  const answers = new Answers({
    replies,
    requests,
    log,
    onEnd: both<ThriftRequest, Outcome>(
      metrics && ((request, outcome) => metrics.ended(request, outcome)),
      both<ThriftRequest, Outcome>(
        settings.accessLog ? accessLog(context.logger("tsserve.access")) : undefined,
        tracing && traceEnd(tracing),
      ),
    ),
  });
  const dispatcher = new Dispatcher({
    methods,
    limits: settings.limits,
    requests,
    log,
    replies,
    answers,
    callHandler: makeCallHandler(tracing),
  });
  const descriptors = new Descriptors(log);
  const connections = new Connections({
    handler: dispatcher,
    slab: replies.slab,
    maxPipelined: settings.maxPipelined,
    log,
    descriptors,
    lingers: lingerOf(systemClock),
    limits: { ...settings, patienceMs: Math.min(longestPatienceMs, stopTimeoutMs / 4) },
    clock: systemClock,
    abandon: (connection) => dispatcher.abandon(connection),
    onFull: () => log.warn({ max_concurrency: settings.maxConcurrency }, "max_concurrency is reached: new connections wait"),
  });
  const makeAcceptor = (): NetServer => {
    // A client may close its side after its last request, and still wants the answer.
    const acceptor = createServer({ allowHalfOpen: true, noDelay: true });
    connections.addAcceptor(acceptor);
    descriptors.lookOnListening(acceptor);
    return acceptor;
  };
  const acceptors = listeners.map(makeAcceptor);
  let isStopping = false;

  return {
    start: async () => {
      connections.start();
      try {
        for (const [index, listener] of listeners.entries()) await listener.listen(acceptors[index] as NetServer);
      } catch (error) {
        for (const acceptor of acceptors) if (acceptor.listening) stopAccepting(acceptor);
        await connections.end(AbortSignal.abort());
        throw error;
      }
    },
    drain: () => {
      isStopping = true;
      replies.isDraining = true;
    },
    stop: async (deadline) => {
      isStopping = true;
      replies.isDraining = true;
      await endAccepting(acceptors, listeners);
      return { cut: await connections.end(deadline) };
    },
    accept: (listener) => acceptAlso(listener, makeAcceptor(), acceptors),
    rest: () => {
      for (const acceptor of acceptors) if (acceptor.listening) leaveSocket(acceptor);
      replies.isDraining = true;
      return {
        left: connections.rest(),
        end: () => {
          replies.isDraining = isStopping;
          connections.endRest();
        },
      };
    },
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
