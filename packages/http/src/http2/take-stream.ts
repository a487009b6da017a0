import { constants } from "node:http2";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { traceScope, type ActiveRequests } from "@tsserve/server";
import { requestTimedOut, type Refusal } from "../refusal.ts";
import { keepSocket } from "../client.ts";
import type { Connections } from "../connections.ts";
import { continueOnRead } from "../continue-on-read.ts";
import { HttpRequest, requestKey, type TrackedMessage } from "../http-request.ts";
import { isBeingRead } from "../linger.ts";
import type { OwnAnswers } from "../own-answer.ts";
import { overloadedForNow, type Overload } from "../overload.ts";
import { addHost, type StreamHead } from "./check-stream-head.ts";
import { sessionOf, type Session, type StreamBody } from "./session.ts";
import type { HeadDefaults, StreamRequest, StreamResponse } from "./stream-messages.ts";

export interface StreamTracking {
  readonly requests: ActiveRequests;
  readonly connections: Connections;
  readonly answers: OwnAnswers;
  readonly headers: HeadDefaults;
  readonly overload: Overload;
  readonly resolveClient: (incoming: IncomingMessage) => void;
  /** Settles the id of a request. */
  readonly identify: ((request: HttpRequest) => void) | undefined;
  readonly checkHead: (head: StreamHead) => Refusal | undefined;
  /** The largest body; `undefined` where the app keeps the limit itself. */
  readonly bodyLimit: { readonly maxBytes: number; readonly refusal: Refusal } | undefined;
  /** Called when the server has answered in the place of the app. */
  readonly onRefused: (request: HttpRequest) => void;
  /** Called when a stream has closed. */
  readonly onEnd?: ((request: HttpRequest, endedAt: number) => void) | undefined;
}

/** What a stream is answered with: by the app, or in its place. */
export type StreamHandling = { readonly handle: RequestListener; readonly expects?: boolean } | { readonly refusal: Refusal };

export interface StreamTaking {
  take(incoming: StreamRequest, response: StreamResponse, handling: StreamHandling): void;
  /** The rest of the body of a request does not come. */
  giveUp(request: HttpRequest): void;
}

const timedOut: Refusal = { ...requestTimedOut, keepsConnection: true };

/** Takes streams in, as `requests.ts` does with the requests of HTTP/1: from here on they are the same to everybody. */
export function makeTakeStream(tracking: StreamTracking): StreamTaking {
  const { requests, connections, answers, headers, overload, resolveClient, identify, checkHead, bodyLimit, onRefused, onEnd } = tracking;

  function refuse(request: HttpRequest, refusal: Refusal): boolean {
    const isRefused = answers.instead(request, refusal);
    if (isRefused) onRefused(request);
    return isRefused;
  }

  function end(request: HttpRequest): void {
    if (request.isOver) return;
    request.isOver = true;
    const now = performance.now();
    const { connection, response } = request;
    overload.leave(request);
    connection.activeRequests -= 1;
    connection.idleSince = now;
    requests.delete(request);
    if ((response as StreamResponse | undefined)?.isCut === true) connections.unanswered(request);
    (connection.multiplexed as Session).ended(request);
    connections.becomesIdle(connection);
    onEnd?.(request, now);
  }

  // One function for all streams, rather than a closure for each.
  function closed(this: StreamResponse): void {
    end((this.req as unknown as Required<TrackedMessage>)[requestKey]);
  }

  function takenBack(this: StreamRequest): void {
    const { connection, response } = (this as unknown as Required<TrackedMessage>)[requestKey];
    if (!(response as unknown as StreamResponse).isCut && !this.isGivenUp) (connection.multiplexed as Session).reset();
  }

  const saysMore = headers.server !== undefined || headers.contentType !== undefined || headers.requestIdHeader !== undefined;
  const scope = traceScope();
  return {
    take: (streamed, answer, handling) => {
      const { stream } = answer;
      const incoming = streamed as unknown as TrackedMessage;
      const response = answer as unknown as ServerResponse;
      const session = stream.destroyed ? undefined : sessionOf(stream);
      if (session === undefined || session.isCondemned) return;
      const { connection } = session;
      if (incoming[requestKey] !== undefined) {
        if ("handle" in handling) handling.handle(incoming, response);
        return;
      }
      addHost(streamed);
      keepSocket(incoming, connection.socket);
      if (saysMore) answer.defaults = headers;
      const request = new HttpRequest(incoming, response, connection, performance.now());
      incoming[requestKey] = request;
      answer.tracked = request;
      connections.requestBegins(connection);
      connection.activeRequests += 1;
      connection.requests += 1;
      requests.add(request);
      answer.whenClosed = closed;
      // Node tells nothing of it to the answer to a HEAD that has not been given.
      if ((stream as { readonly headRequest?: boolean }).headRequest === true) stream.once("close", () => end(request));
      // At once: a flood of them comes in one piece, and nothing is told of its closes before all of it has been read.
      streamed.whenTakenBack = takenBack;
      const body = stream.endAfterHeaders ? undefined : watchBody(request, bodyLimit?.maxBytes, () => refuse(request, tooLarge()));
      session.begins(request, body);
      identify?.(request);
      resolveClient(incoming);
      const refusal = checkHead(streamed) ?? ("refusal" in handling ? handling.refusal : undefined);
      if (refusal !== undefined) {
        refuse(request, refusal);
        return;
      }
      if (!overload.enter(request)) {
        refuse(request, overloadedForNow);
        return;
      }
      if (request.bodyBytes > (bodyLimit?.maxBytes ?? Number.POSITIVE_INFINITY)) {
        refuse(request, tooLarge());
        return;
      }
      const { handle, expects = false } = handling as Extract<StreamHandling, { handle: unknown }>;
      if (expects) continueOnRead(request);
      if (!scope.isWanted) handle(incoming, response);
      else
        scope.run(
          () => request.trace,
          () => handle(incoming, response),
        );
    },
    giveUp: (request) => {
      const { incoming, response } = request;
      (incoming as unknown as StreamRequest).isGivenUp = true;
      const { stream } = response as unknown as StreamResponse;
      if (!refuse(request, timedOut) && stream.writableFinished) stream.close(constants.NGHTTP2_NO_ERROR);
      else if (request.refusal === undefined) stream.close(constants.NGHTTP2_CANCEL);
    },
  };

  function tooLarge(): Refusal {
    return (bodyLimit as { readonly refusal: Refusal }).refusal;
  }
}

/**
 * Counts the body of a request as it comes, and sees to its limit. When the answer has left, a rest that nobody reads is not waited
 * for: the client is told that it is not wanted (RFC 9113, section 8.1).
 *
 * @param refuse tells whether that was still possible
 */
function watchBody(request: HttpRequest, maxBytes: number | undefined, refuse: () => boolean): StreamBody {
  const incoming = request.incoming;
  const { stream } = request.response as unknown as StreamResponse;
  // nghttp2 sees to it that so many come, and no more.
  const declared = incoming.headers["content-length"];
  request.bodyBytes = declared === undefined ? 0 : Number(declared) || 0;
  let bytes = 0;
  const body = {
    lastAt: request.startedAt,
    isAwaited: () => !stream.headersSent && isBeingRead(incoming) && incoming.readableLength === 0,
    isWhole: () => incoming.complete || stream.readableEnded,
    abandon: () => {
      stream.close(constants.NGHTTP2_CANCEL);
      stream.destroy();
    },
  };
  const push = incoming.push.bind(incoming);
  incoming.push = (chunk: Buffer | null, encoding?: BufferEncoding): boolean => {
    if (chunk === null) return push(chunk, encoding);
    body.lastAt = performance.now();
    bytes += chunk.length;
    if (declared === undefined) request.bodyBytes = bytes;
    if (maxBytes === undefined || bytes <= maxBytes) return push(chunk, encoding);
    incoming.push = (more: Buffer | null) => (more === null ? push(null) : true);
    (incoming as unknown as StreamRequest).isGivenUp = true;
    if (!refuse()) stream.close(constants.NGHTTP2_CANCEL);
    if (incoming.listenerCount("error") > 0) {
      const error = new Error(`the request body is larger than client_max_size (${maxBytes} bytes)`);
      incoming.emit("error", Object.assign(error, { code: "ERR_BODY_TOO_LARGE" }));
    }
    return true;
  };
  stream.once("finish", () => {
    // What a listener of the same event does comes first.
    setImmediate(() => {
      if (!stream.closed && !body.isWhole() && (request.refusal !== undefined || !isBeingRead(incoming)))
        stream.close(constants.NGHTTP2_NO_ERROR);
    });
  });
  return body;
}
