import { ServerResponse, type IncomingMessage, type RequestListener } from "node:http";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { asError } from "@tsserve/config";
import { both, type Descriptors, type ServerContext } from "@tsserve/server";
import { bodyTooLarge } from "./body-limit.ts";
import { makeHeadCheck } from "./check-head.ts";
import { makeClientResolver, makePeerTrust } from "./client.ts";
import { ClientErrors } from "./client-errors.ts";
import { expectationFailed, requestTimedOut, type Refusal } from "./refusal.ts";
import type { Connection } from "./connection.ts";
import { closeIfStillIdle, type Connections } from "./connections.ts";
import { countBody } from "./count-body.ts";
import { Entrance } from "./entrance/entrance.ts";
import { logFailure, requestFailed } from "./guard-listener.ts";
import { answerHealth } from "./health-endpoint.ts";
import type { HttpApp } from "./http-app.ts";
import { requestKey, type HttpRequest, type TrackedMessage } from "./http-request.ts";
import { makeStreamHeadCheck } from "./http2/check-stream-head.ts";
import { loadHandler, loadRenderer } from "./load-handler.ts";
import { Overload } from "./overload.ts";
import { OwnAnswers } from "./own-answer.ts";
import { makeIdentify } from "./request-id.ts";
import type { RequestObservers } from "./request-observers.ts";
import { makeTakeRequest } from "./requests.ts";
import { standBefore, type ServerListeners } from "./server-events.ts";
import type { HttpSettings } from "./settings.ts";
import type { TlsEntrance } from "./tls/tls-entrance.ts";
import { traceEnd, traceHandling } from "./trace-requests.ts";
import { trustedProxies } from "./trusted-proxies.ts";
import { isNoUpgrade, makeTakeUpgrade } from "./upgrades.ts";

/** Who else sees what comes. */
interface Taken {
  readonly observers: RequestObservers;
  readonly tls: TlsEntrance | undefined;
  readonly descriptors: Descriptors;
}

/** Puts the server's own part between Node and the app. Outermost first: tracking, health, the `handler` module, the app. */
export async function takeEvents(
  opened: HttpApp,
  settings: HttpSettings,
  connections: Connections,
  { observers, tls, descriptors }: Taken,
  context: ServerContext,
): Promise<void> {
  const { server } = opened;
  const { requests } = context;
  const { log, metrics } = observers;
  const { proxyVersions } = settings;
  const entrance =
    proxyVersions === undefined && tls === undefined && !settings.http2.isOn
      ? undefined
      : new Entrance({
          connections,
          proxyVersions,
          trusts: trustedProxies(settings.proxies.from),
          tls,
          serveHttp2: settings.http2.isOn ? (connection, socket) => http2?.accept(connection, socket) : undefined,
          onSlow: (connection) => {
            connection.isEntering = false;
            clientErrors.refuse(connection, requestTimedOut);
          },
          timeoutMs: settings.headerTimeoutMs,
          log: context.log,
          onRefused: (reason) => metrics?.rejected(reason),
        });
  const checkHeadAlone = makeHeadCheck(settings.maxHeaderLines);
  const resolveClient = makeClientResolver(settings.proxies);
  // Once for each request, whichever way it begins, and before anybody reads who sent it.
  const checkHead = (incoming: IncomingMessage): Refusal | undefined => {
    resolveClient(incoming);
    return checkHeadAlone(incoming);
  };
  const rejected = (refusal: Refusal, connection: Connection, request: HttpRequest | string): void => {
    metrics?.rejected(refusal.reason);
    if (typeof request === "string") log?.rejected(refusal, connection, request);
  };
  const rejectedRequest = (request: HttpRequest): void => {
    if (request.refusal !== undefined) rejected(request.refusal, request.connection, request);
  };
  const counted = metrics && ((request: HttpRequest, endedAt: number) => metrics.ended(request, endedAt));
  const { tracing } = context;
  const onEnd = both<HttpRequest, number>(both(counted, log?.ended), tracing && traceEnd(tracing));
  const answers = new OwnAnswers({
    renderError: await loadRenderer(settings.errors, context),
    serverHeader: settings.serverHeader,
    requestIdHeader: settings.requestIdHeader,
    failed: (thrown) => context.log.error({ err: asError(thrown) }, `errors = ${settings.errors} failed; the built-in answer is sent`),
  });
  const { requestIdHeader } = settings;
  const trustsPeer = makePeerTrust(settings.proxies);
  const identify =
    requestIdHeader === undefined
      ? undefined
      : makeIdentify({ header: requestIdHeader, trustsPeer: ({ incoming }) => trustsPeer(incoming), app: opened.readsIdsFrom });
  const overload = new Overload(settings.maxActiveRequests);
  const bodyLimit = opened.limitsBodies ? undefined : { maxBytes: settings.clientMaxBytes, refusal: bodyTooLarge(settings) };
  const takeRequest = makeTakeRequest({
    requests,
    connections,
    answers,
    headers: { server: settings.serverHeader, contentType: settings.contentType, requestIdHeader },
    identify,
    overload,
    checkHead,
    bodyLimit,
    onBody: metrics && countBody,
    onRefused: rejectedRequest,
    onWrongLength: ({ incoming }, error) => logFailure(incoming, "the app", error, context.log),
    onError: ({ incoming }, thrown) => logFailure(incoming, "the app", thrown, context.log),
    onEnd,
  });
  const app: RequestListener = (incoming, response) => listeners.request(incoming, response);
  const wrapped = await wrapApp(app, opened, settings, context);
  const handle = tracing === undefined ? wrapped : traceHandling(wrapped, tracing);
  /** What a listener of the app's throws, at once or by its promise, is the end of no more than what it was called for. */
  const failed = (thrown: unknown, event: string, [incoming, other]: readonly unknown[]): void => {
    if (isResponse(other)) {
      requestFailed(incoming as IncomingMessage, other, "the app", thrown, context.log);
      return;
    }
    context.log.error({ err: asError(thrown), event }, `the app's listener of "${event}" failed`);
    if (other instanceof Duplex) other.destroy();
  };
  const listeners: ServerListeners = standBefore(server, {
    connection: (socket, event) => {
      descriptors.look(socket);
      connections.arrive(socket, (connection) => {
        const serve = (ready: Socket): void => {
          listeners.emit(event, ready);
          passOverNoUpgrades(ready);
          if ("encrypted" in ready) neverPauseParser(ready);
        };
        if (entrance === undefined) serve(socket);
        else entrance.enter(connection, serve);
      });
    },
    request: (incoming, response) => takeRequest(incoming, response, handle, false),
    checkContinue: (incoming, response) => {
      if (listeners.has("checkContinue")) takeRequest(incoming, response, passOn("checkContinue"), false);
      else takeRequest(incoming, response, handle, true);
    },
    checkExpectation: (incoming, response) => {
      takeRequest(incoming, response, listeners.has("checkExpectation") ? passOn("checkExpectation") : refuseExpectation, false);
    },
    upgrade: (incoming, socket, head) => takeUpgrade(incoming, socket, () => void listeners.emit("upgrade", incoming, socket, head)),
    connect: (incoming, socket, head) => {
      const handOver = (): void => void listeners.emit("connect", incoming, socket, head);
      takeUpgrade(incoming, socket, listeners.has("connect") ? handOver : undefined);
    },
    clientError: (error, socket) => clientErrors.handle(error, socket),
    timeout: (socket) => {
      if (listeners.has("timeout")) return false;
      closeIfStillIdle(socket);
      return true;
    },
    error: (error) => descriptors.acceptFailed(error),
    failed,
  });
  const passOn =
    (event: string): RequestListener =>
    (incoming, response) =>
      void listeners.emit(event, incoming, response);
  const refuseExpectation: RequestListener = (incoming: TrackedMessage) => {
    const request = incoming[requestKey];
    if (request !== undefined && answers.instead(request, expectationFailed)) rejectedRequest(request);
  };
  const http2 = settings.http2.isOn
    ? (await import("./http2/open-http2.ts")).openHttp2({
        requests,
        connections,
        answers,
        overload,
        resolveClient,
        identify,
        checkHead: makeStreamHeadCheck(settings),
        bodyLimit,
        settings,
        log: context.log,
        handle,
        checkContinue: () => (listeners.has("checkContinue") ? passOn("checkContinue") : undefined),
        checkExpectation: () => (listeners.has("checkExpectation") ? passOn("checkExpectation") : undefined),
        onRefused: rejectedRequest,
        onRejected: (reason) => metrics?.rejected(reason),
        onEnd,
      })
    : undefined;
  const clientErrors = new ClientErrors({
    connections,
    answers,
    listeners,
    headerTimeoutMs: settings.headerTimeoutMs,
    maxHeaderBytes: settings.maxHeaderBytes,
    onRefused: rejected,
  });
  const takeUpgrade = makeTakeUpgrade({
    requests,
    connections,
    checkHead,
    refuse: (connection, refusal, id) => clientErrors.refuse(connection, refusal, { id }),
    identify,
    onAnswer: counted,
    onEnd: log?.ended,
  });
  connections.giveUp = (connection) => {
    if (connection.isEntering) connection.socket.destroy();
    else if (connection.unfinishedBody === undefined) clientErrors.refuse(connection, requestTimedOut);
    else clientErrors.giveUpBody(connection, requestTimedOut);
  };
  connections.onUnanswered = (request) => {
    const { method, route, ageMs, client } = request.describe();
    context.log.warn({ method, route, ageMs, client, id: request.id }, `lost in the stop: ${method} ${route} ran and was not answered`);
  };
}

/** Of either protocol. */
function isResponse(value: unknown): value is ServerResponse {
  return value instanceof ServerResponse || (typeof value === "object" && value !== null && "writeHead" in value);
}

async function wrapApp(app: RequestListener, opened: HttpApp, settings: HttpSettings, context: ServerContext): Promise<RequestListener> {
  let handle = app;
  if (settings.handler !== undefined) handle = await loadHandler(settings.handler, handle, context);
  if (settings.health && !opened.ownsHealth) handle = answerHealth(handle, context.health, context.log);
  return handle;
}

/** What of Node's parser is used: it calls `onIncoming` with each message (`parserOnIncoming` in lib/_http_server.js). */
interface ParsingSocket extends Socket {
  readonly parser?: { onIncoming: (incoming: IncomingMessage, keepAlive: boolean) => number; pause: () => void } | null;
}

/**
 * Node reads no more of a connection, and pauses its parser, while much of an earlier answer waits to be written
 * (`onParserExecuteCommon` in lib/_http_server.js). TLS hands over all that it has deciphered, also after that: for a paused parser each
 * further record is an error (`HPE_PAUSED`), and the request, whose body it was, was answered with 400. What has been deciphered is one
 * read of the socket at most, as much as comes at once without TLS; so the parser takes it. A parser serves other connections later: it
 * does no harm there, as nothing comes from a socket that is not read.
 */
function neverPauseParser(socket: Socket): void {
  const { parser } = socket as ParsingSocket;
  if (parser !== undefined && parser !== null) parser.pause = () => undefined;
}

/** Node takes every `Upgrade` for one as soon as anybody listens; what is none is handed on as a plain request. */
function passOverNoUpgrades(socket: Socket): void {
  const { parser } = socket as ParsingSocket;
  if (parser === undefined || parser === null) return;
  const { onIncoming } = parser;
  parser.onIncoming = (incoming: IncomingMessage & { upgrade?: boolean }, keepAlive) => {
    if (incoming.upgrade === true && isNoUpgrade(incoming)) incoming.upgrade = false;
    return onIncoming(incoming, keepAlive);
  };
}
