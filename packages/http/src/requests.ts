import type { IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { ActiveRequests } from "@tsserve/server";
import { connectionKey, type TrackedSocket } from "./connection.ts";
import { HttpRequest, requestKey, type TrackedMessage } from "./http-request.ts";

export interface RequestTracking {
  readonly requests: ActiveRequests;
  /** Whether responses must say `Connection: close`. */
  readonly isDraining: () => boolean;
  /** Called before a request is handled. */
  readonly onBegin?: ((request: HttpRequest) => void) | undefined;
  /** Called when a response has ended, or its connection has. */
  readonly onEnd?: ((request: HttpRequest, endedAt: number) => void) | undefined;
}

interface TrackedResponse extends ServerResponse {
  [requestKey]?: HttpRequest;
}

/** Wraps the handling of requests so that it is known which are in progress, on which connection. */
export function trackRequests(handle: RequestListener, { requests, isDraining, onBegin, onEnd }: RequestTracking): RequestListener {
  // One function for all responses, rather than a closure for each.
  function ended(this: TrackedResponse): void {
    const request = this[requestKey];
    if (request === undefined) return;
    const now = performance.now();
    request.connection.endRequest(request, now);
    requests.delete(request);
    onEnd?.(request, now);
  }
  return (incoming: TrackedMessage, response: TrackedResponse) => {
    const socket = incoming.socket as TrackedSocket;
    const connection = socket[connectionKey];
    if (connection !== undefined) {
      // Its client has been told that the connection is over.
      if (connection.lingers) return;
      const request = new HttpRequest(incoming, response, connection, performance.now());
      incoming[requestKey] = request;
      response[requestKey] = request;
      connection.beginRequest(request);
      requests.add(request);
      response.on("close", ended);
      onBegin?.(request);
    }
    if (isDraining()) response.setHeader("Connection", "close");
    handle(incoming, response);
  };
}

/** Makes every response that has not begun yet say `Connection: close`. */
export function closeAfterResponse(requests: ActiveRequests): void {
  for (const request of requests) {
    if (!(request instanceof HttpRequest)) continue;
    if (request.response !== undefined && !request.response.headersSent) request.response.setHeader("Connection", "close");
  }
}

/** Connections that become another protocol's (WebSocket) count as requests in progress until they close. */
export function trackUpgrades(server: Server, requests: ActiveRequests): void {
  // A listener of ours alone would make Node hand over upgrades that nobody answers.
  if (server.listenerCount("upgrade") === 0) return;
  server.prependListener("upgrade", (incoming: IncomingMessage, duplex: Duplex) => {
    const socket = duplex as TrackedSocket;
    const connection = socket[connectionKey];
    if (connection === undefined) return;
    const request = new HttpRequest(incoming, undefined, connection, performance.now());
    connection.upgrade = request;
    requests.add(request);
    socket.once("close", () => requests.delete(request));
  });
}
