import { ServerResponse, type IncomingMessage, type RequestListener } from "node:http";
import type { Socket } from "node:net";
import { traceScope, type ActiveRequests } from "@tsserve/server";
import { limitBody } from "./body-limit.ts";
import type { Refusal } from "./refusal.ts";
import { connectionKey, saysClose, type TrackedSocket } from "./connection.ts";
import type { Connections } from "./connections.ts";
import { continueOnRead } from "./continue-on-read.ts";
import { isBeingRead } from "./linger.ts";
import { makeHoldErrors } from "./hold-errors.ts";
import { makeHoldLength } from "./hold-length.ts";
import { HttpRequest, requestKey, type TrackedMessage } from "./http-request.ts";
import type { OwnAnswers } from "./own-answer.ts";
import { overloadedForNow, type Overload } from "./overload.ts";
import { makeGuardHead, type HeadRules } from "./response-head.ts";
import { endUnread } from "./unread-body.ts";

export interface RequestTracking {
  readonly requests: ActiveRequests;
  readonly connections: Connections;
  readonly answers: OwnAnswers;
  /** What heads say besides what the app says; the rest is up to the connection. */
  readonly headers: Pick<HeadRules, "server" | "contentType" | "requestIdHeader">;
  /** Settles which id a request has; absent where the app is told none. */
  readonly identify: ((request: HttpRequest) => void) | undefined;
  readonly overload: Overload;
  /** What makes a request one that the app never sees. */
  readonly checkHead: (incoming: IncomingMessage) => Refusal | undefined;
  /** The largest body; `undefined` where the app keeps the limit itself. */
  readonly bodyLimit: { readonly maxBytes: number; readonly refusal: Refusal } | undefined;
  /** Called before a request with a body is handled. */
  readonly onBody?: ((request: HttpRequest) => void) | undefined;
  /** Called when the server has answered in the place of the app. */
  readonly onRefused: (request: HttpRequest) => void;
  /** Called when an answer is not as long as its `Content-Length` says. */
  readonly onWrongLength: (request: HttpRequest, error: Error) => void;
  /** Called with the error of a response that nobody listens to. */
  readonly onError: (request: HttpRequest, thrown: unknown) => void;
  /** Called when an answer has ended, or its connection has. */
  readonly onEnd?: ((request: HttpRequest, endedAt: number) => void) | undefined;
}

interface TrackedResponse extends ServerResponse {
  [requestKey]?: HttpRequest;
}

/** Node takes an answer that has left off its socket; where a later version does otherwise, it is over with its `close`. */
const isDetached = typeof ServerResponse.prototype.detachSocket === "function";

/** How a request is taken in: what is to be done with it, and whether its client waits for `100 Continue`. */
export type TakeRequest = (incoming: IncomingMessage, response: ServerResponse, handle: RequestListener, expects: boolean) => void;

/** Takes requests in, so that it is known which are in progress on which connection, and none runs that will not be answered. */
export function makeTakeRequest(tracking: RequestTracking): TakeRequest {
  const { requests, connections, answers, headers, identify, overload, checkHead, bodyLimit, onBody, onRefused, onEnd } = tracking;
  const rules: HeadRules = {
    ...headers,
    ends: (request) => connections.mustEnd(request.connection) || request.awaitsContinue || leavesBody(request.incoming),
  };
  const { clock } = connections;
  const guardsAll = headers.server !== undefined || headers.contentType !== undefined || headers.requestIdHeader !== undefined;
  const guardHead = makeGuardHead(rules);
  connections.guardHead = guardHead;

  /** Ends a request, once. */
  function end(request: HttpRequest): void {
    if (request.isOver) return;
    request.isOver = true;
    const now = clock.now();
    const { connection } = request;
    overload.leave(request);
    connection.endRequest(request, now);
    connections.requestEnded(connection, request);
    requests.delete(request);
    onEnd?.(request, now);
  }
  connections.onRequestLost = end;

  // One function for all responses, rather than a closure for each.
  function ended(this: TrackedResponse): void {
    const request = this[requestKey];
    if (request !== undefined) end(request);
  }

  /**
   * In the place of `detachSocket`, which Node calls when all of an answer has left: a listener for each response would cost more.
   * Where the connection ends with it, or something waits for that, what Node does next comes first.
   */
  function detachSocket(this: TrackedResponse, socket: Socket): void {
    (Object.getPrototypeOf(this) as ServerResponse).detachSocket.call(this, socket);
    const request = this[requestKey];
    if (request === undefined) return;
    if (request.connection.whenAnswered === undefined && !saysClose(request)) end(request);
    else this.on("close", ended);
  }

  function refuse(request: HttpRequest, refusal: Refusal): boolean {
    guardHead(request);
    const isRefused = answers.instead(request, refusal);
    if (isRefused) onRefused(request);
    return isRefused;
  }

  connections.refuse = refuse;

  const holdLength = makeHoldLength(tracking.onWrongLength);
  const holdErrors = makeHoldErrors(tracking.onError);
  const scope = traceScope();
  return (incoming: TrackedMessage, response: TrackedResponse, handle, expects) => {
    const connection = (incoming.socket as TrackedSocket)[connectionKey];
    // One that is in progress, and comes again from a listener of `checkContinue`, or on no connection of ours.
    if (connection === undefined || incoming[requestKey] !== undefined) {
      handle(incoming, response);
      return;
    }
    // Its client has been told that the connection is over, and may send the request again elsewhere.
    if (connection.isClosing) {
      incoming.resume();
      return;
    }
    const request = new HttpRequest(incoming, response, connection, clock.now());
    incoming[requestKey] = request;
    response[requestKey] = request;
    endUnread(incoming);
    holdLength(response);
    holdErrors(response);
    const earlier = connection.latest;
    connections.requestBegins(connection);
    connection.beginRequest(request);
    requests.add(request);
    if (isDetached) response.detachSocket = detachSocket;
    else response.on("close", ended);
    if (earlier !== undefined) for (const each of connection.inProgress()) guardHead(each);
    identify?.(request);
    const refusal = checkHead(incoming);
    if (refusal !== undefined) {
      refuse(request, refusal);
      return;
    }
    const hasBody = announcesBody(incoming);
    if (hasBody || expects || guardsAll || connection.closeWanted || connections.mustEnd(connection)) guardHead(request);
    if (!overload.enter(request)) {
      refuse(request, hasBody ? overloaded : overloadedForNow);
      return;
    }
    if (hasBody) onBody?.(request);
    if (hasBody && bodyLimit !== undefined) {
      const { maxBytes, refusal: tooLarge } = bodyLimit;
      if (limitBody(request, maxBytes, (each) => refuse(each, tooLarge))) return;
    }
    if (expects) continueOnRead(request);
    if (!scope.isWanted) handle(incoming, response);
    else
      scope.run(
        () => request.trace,
        () => handle(incoming, response),
      );
  };
}

/** Whether a body follows (RFC 9112, section 6.3). `headers` is left alone: Node makes it when it is asked for. */
function announcesBody({ rawHeaders }: IncomingMessage): boolean {
  for (let n = 0; n < rawHeaders.length; n += 2) {
    const name = rawHeaders[n] as string;
    if (name.length === 14 && name.toLowerCase() === "content-length") return true;
    if (name.length === 17 && name.toLowerCase() === "transfer-encoding") return true;
  }
  return false;
}

/** Makes every answer in progress, whose head has not been sent yet, say that its connection ends. */
export function closeAfterAnswers(connections: Connections): void {
  for (const connection of connections.open) {
    // `inProgress` has none of a session's.
    for (const request of connection.inProgress()) connections.guardHead(request);
  }
}

/** What is left of the body would have to be read. */
const overloaded: Refusal = { ...overloadedForNow, keepsConnection: false };

/**
 * Whether an app that answers has begun to read the body of its request, and does not read on: what has not come yet would
 * stand before the next request for ever.
 */
function leavesBody(incoming: IncomingMessage): boolean {
  return !incoming.complete && incoming.readableFlowing === false && !isBeingRead(incoming);
}
