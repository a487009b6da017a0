import { createServer as createNetServer, type AddressInfo, type Server as NetServer } from "node:net";
import type { Server as HttpServer } from "node:http";
import { asError } from "@tsserve/config";
import { acceptAlso, endAccepting, leaveSocket, stopAccepting, type Listener } from "@tsserve/listener";
import { Descriptors, systemClock, timerMs, type Cause, type Server, type ServerConfig, type ServerContext } from "@tsserve/server";
import { Connections } from "./connections.ts";
import { runPreClose } from "./fastify-pre-close.ts";
import { openApp } from "./http-app.ts";
import { makeEvenLots } from "./even-lots.ts";
import { makeRequestObservers } from "./request-observers.ts";
import { closeAfterAnswers } from "./requests.ts";
import { makeLot } from "./rotation.ts";
import { httpSettings, type HttpSettings } from "./settings.ts";
import { TlsEntrance } from "./tls/tls-entrance.ts";
import { tlsSettings } from "./tls/tls-settings.ts";
import { takeEvents } from "./take-events.ts";

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
  applyLimits(server, settings);
  const connections: Connections = new Connections({
    maxConcurrency: settings.maxConcurrency,
    clock: systemClock,
    draw: makeLot(settings.rotation, makeEvenLots(Math.random)),
    drawClose: makeEvenLots(Math.random),
    drainTimeMs: settings.drainTimeMs,
    closeWebSocketsOverMs: settings.closeWebSocketsOverMs,
    onFull: () => context.log.warn({ max_concurrency: settings.maxConcurrency }, "max_concurrency is reached: new connections wait"),
    onClosed: (reason) => observers.metrics?.closed(reason),
  });
  const tls = tlsEntrance(settings, context);
  const descriptors = new Descriptors(context.log);
  const observers = makeRequestObservers(settings, context, () => connections.openUpgrades);
  await takeEvents(opened, settings, connections, { observers, tls, descriptors }, context);
  const acceptors: NetServer[] = [server, ...listeners.slice(1).map(() => acceptorFor(server))];
  for (const acceptor of acceptors) {
    connections.addAcceptor(acceptor);
    descriptors.lookOnListening(acceptor);
  }
  let ending = false;
  const ended = endOf(server, () => ending);
  const drain = (cause?: Cause): void => {
    if (cause !== undefined && isRestart(cause)) connections.closeCode = 1012;
    connections.drain();
    closeAfterAnswers(connections);
  };

  return {
    start: async () => {
      tls?.open();
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
    drain,
    stop: async (deadline) => {
      ending = true;
      drain();
      await endAccepting(acceptors, listeners);
      // WebSockets are told why they end before a plugin (@fastify/websocket) closes them without a word.
      const emptied = connections.end(deadline);
      // What ends the app's streams is not waited for: it may itself wait for requests to end.
      void runPreClose(server, (thrown) => context.log.error({ err: asError(thrown) }, "a preClose hook of Fastify's failed"));
      const cut = await emptied;
      tls?.close();
      await opened.close();
      observers.file?.end();
      return { cut };
    },
    accept: async (listener) => {
      const acceptor = acceptorFor(server);
      connections.addAcceptor(acceptor);
      return acceptAlso(listener, acceptor, acceptors);
    },
    rest: () => {
      for (const acceptor of acceptors) if (acceptor.listening) leaveSocket(acceptor);
      const left = connections.rest();
      closeAfterAnswers(connections);
      return { left, end: () => connections.endRest() };
    },
    reopen: () => observers.file?.reopen(),
    stats: () => ({ openConnections: connections.size, activeRequests: context.requests.size }),
    addresses: () =>
      acceptors.map((acceptor) => printable(acceptor, tls === undefined ? "http" : "https")).filter((address) => address !== undefined),
    routes: () => Promise.resolve(opened.routes),
    ended,
  };
}

/** @throws {ConfigurationError} when a file of it can't be used */
function tlsEntrance(
  { tls, http2, headerTimeoutMs }: HttpSettings,
  { folder, fleetSecret, log, meter }: ServerContext,
): TlsEntrance | undefined {
  const settings = tlsSettings(tls, folder);
  if (settings === undefined) return undefined;
  const ticketKeys = fleetSecret?.subarray(0, ticketKeyBytes);
  const protocols = http2.isOn ? ["h2", "http/1.1"] : ["http/1.1"];
  return new TlsEntrance({ settings, ticketKeys, handshakeTimeoutMs: headerTimeoutMs, protocols, log, meter });
}

/** What OpenSSL takes: a name, a key for signing and one for encryption, 16 bytes each. */
const ticketKeyBytes = 48;

/** Whether a server like this one takes over: under Einhorn, SIGUSR2 is how a worker is told of an upgrade. */
function isRestart(cause: Cause): boolean {
  return cause.kind === "ordered" ? cause.reason !== "stop" : cause.kind === "signal" && cause.signal === "SIGUSR2";
}

/** All of these are read by Node for each connection, or when the server begins to listen. */
interface ServerLimits extends HttpServer {
  connectionsCheckingInterval: number;
  requireHostHeader: boolean;
  httpAllowHalfOpen: boolean;
  maxHeaderSize: number;
}

function applyLimits(nodeServer: HttpServer, settings: HttpSettings): void {
  const server = nodeServer as ServerLimits;
  // Node waits a second more than that (`keepAliveTimeoutBuffer`), with a timer of its own.
  server.keepAliveTimeout = timerMs(settings.keepAliveTimeoutMs + 1000) - 1000;
  server.headersTimeout = timerMs(settings.headerTimeoutMs);
  server.requestTimeout = timerMs(settings.requestTimeoutMs);
  // Node looks only every 30 s, so that a limit of 5 s could last for 35.
  server.connectionsCheckingInterval = Math.min(Math.max(settings.headerTimeoutMs / 4, 100), 5000);
  server.maxHeaderSize = settings.maxHeaderBytes;
  // Node drops further lines without a word: one more than may be shows that there were too many.
  server.maxHeadersCount = settings.maxHeaderLines + 1;
  // `checkHead` looks, and answers in the shape of all other answers.
  server.requireHostHeader = false;
  server.httpAllowHalfOpen = true;
}

/** Accepts in another place for the same server, which parses and answers. */
function acceptorFor(server: HttpServer): NetServer {
  const acceptor = createNetServer({ allowHalfOpen: true, noDelay: true }, (socket) => server.emit("connection", socket));
  // What listening meets is told to who listens; what accepting meets would end the process.
  return acceptor.on("error", (error) => void (acceptor.listening && server.emit("error", error)));
}

/** Resolves when the server closes though nobody asked it to, as when an app calls `app.close()` itself. */
function endOf(server: HttpServer, isExpected: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    server.once("close", () => {
      if (!isExpected()) resolve();
    });
  });
}

function printable(acceptor: NetServer, scheme: string): string | undefined {
  const address: AddressInfo | string | null = acceptor.address();
  if (address === null || typeof address === "string") return address ?? undefined;
  return `${scheme}://${address.family === "IPv6" ? `[${address.address}]` : address.address}:${address.port}`;
}
