import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { traceScope, type ActiveRequests } from "@tsserve/server";
import { limitBody } from "./body-limit.ts";
import type { Refusal } from "./check-head.ts";
import { connectionKey, type TrackedSocket } from "./connection.ts";
import type { Connections } from "./connections.ts";
import { continueOnRead } from "./continue-on-read.ts";
import { isBeingRead } from "./linger.ts";
import { HttpRequest, requestKey, type TrackedMessage } from "./http-request.ts";
import { answerInstead } from "./own-answer.ts";
import { guardHead } from "./response-head.ts";

export interface RequestTracking {
  readonly requests: ActiveRequests;
  readonly connections: Connections;
  /** What makes a request one that the app never sees. */
  readonly checkHead: (incoming: IncomingMessage) => Refusal | undefined;
  /** The largest body; `undefined` where the app keeps the limit itself. */
  readonly bodyLimit: { readonly maxBytes: number; readonly refusal: Refusal } | undefined;
  /** Called before a request is handled. */
  readonly onBegin?: ((request: HttpRequest) => void) | undefined;
  /** Called when the server has answered in the place of the app. */
  readonly onRefused: (request: HttpRequest) => void;
  /** Called when an answer has ended, or its connection has. */
  readonly onEnd?: ((request: HttpRequest, endedAt: number) => void) | undefined;
}

interface TrackedResponse extends ServerResponse {
  [requestKey]?: HttpRequest;
}

/** How a request is taken in: what is to be done with it, and whether its client waits for `100 Continue`. */
export type TakeRequest = (incoming: IncomingMessage, response: ServerResponse, handle: RequestListener, expects: boolean) => void;

/** Takes requests in, so that it is known which are in progress on which connection, and none runs that will not be answered. */
export function makeTakeRequest(tracking: RequestTracking): TakeRequest {
  const { requests, connections, checkHead, bodyLimit, onBegin, onRefused, onEnd } = tracking;
  const ends = (request: HttpRequest): boolean => connections.stopping || request.awaitsContinue || leavesBody(request.incoming);

  /** Ends a request, once. */
  function end(request: HttpRequest): void {
    if (request.isOver) return;
    request.isOver = true;
    const now = performance.now();
    const { connection } = request;
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

  function refuse(request: HttpRequest, refusal: Refusal): void {
    guardHead(request, ends);
    if (answerInstead(request, refusal)) onRefused(request);
  }

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
    const request = new HttpRequest(incoming, response, connection, performance.now());
    incoming[requestKey] = request;
    response[requestKey] = request;
    const earlier = connection.latest;
    connections.requestBegins(connection);
    connection.beginRequest(request);
    requests.add(request);
    response.on("close", ended);
    if (earlier !== undefined) for (const each of connection.inProgress()) guardHead(each, ends);
    const refusal = checkHead(incoming);
    if (refusal !== undefined) {
      refuse(request, refusal);
      return;
    }
    const { headers } = incoming;
    const hasBody = headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined;
    if (hasBody || expects || connections.stopping || connection.closeWanted) guardHead(request, ends);
    onBegin?.(request);
    if (hasBody && bodyLimit !== undefined && limitBody(request, bodyLimit.refusal, bodyLimit.maxBytes, onRefused)) return;
    if (expects) continueOnRead(request);
    if (!scope.isWanted) handle(incoming, response);
    else
      scope.run(
        () => request.trace,
        () => handle(incoming, response),
      );
  };
}

/** Makes every answer in progress, whose head has not been sent yet, say that its connection ends. */
export function closeAfterAnswers(connections: Connections): void {
  for (const connection of connections.open) {
    for (const request of connection.inProgress()) guardHead(request, () => connections.stopping);
  }
}

/**
 * Whether an app that answers has begun to read the body of its request, and does not read on: what has not come yet would
 * stand before the next request for ever.
 */
function leavesBody(incoming: IncomingMessage): boolean {
  return !incoming.complete && incoming.readableFlowing === false && !isBeingRead(incoming);
}
