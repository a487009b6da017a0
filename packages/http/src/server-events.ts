import { EventEmitter } from "node:events";
import type { IncomingMessage, RequestListener, Server as HttpServer, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { Server as TlsServer } from "node:tls";
import { isThenable } from "@tsserve/server";

/** What Node's HTTP server tells those who listen to it, as it comes: each kind of work begins with one of these. */
export interface ServerEvents {
  /** `event` is its name: `secureConnection` where there is TLS. */
  connection(socket: Socket, event: string): void;
  request(incoming: IncomingMessage, response: ServerResponse): void;
  checkContinue(incoming: IncomingMessage, response: ServerResponse): void;
  checkExpectation(incoming: IncomingMessage, response: ServerResponse): void;
  upgrade(incoming: IncomingMessage, socket: Duplex, head: Buffer): void;
  connect(incoming: IncomingMessage, socket: Duplex, head: Buffer): void;
  clientError(error: NodeJS.ErrnoException, socket: Duplex): void;
  /** @returns whether it has been dealt with */
  timeout(socket: Socket): boolean;
  /** @returns whether it has been dealt with */
  error(error: NodeJS.ErrnoException): boolean;
  /** A listener of the app's threw, or its promise was rejected. */
  failed(thrown: unknown, event: string, values: readonly unknown[]): void;
}

/** What Node keeps of those who listen: a function where there is one, else a list. */
interface PlainEmitter extends HttpServer {
  readonly _events?: Readonly<Record<string, unknown>>;
}

/** As it was when this module was loaded, before anybody's tracing. */
const { emit: emitAll } = EventEmitter.prototype;

/** What stands behind `ServerEvents`: those who listen to the server, whenever they came. */
export interface ServerListeners {
  /** Calls those who listen for requests. */
  readonly request: RequestListener;
  /** Calls them. */
  emit(event: string, ...values: unknown[]): boolean;
  /** Whether somebody listens. */
  has(event: "checkContinue" | "checkExpectation" | "upgrade" | "connect" | "timeout"): boolean;
  /** Those who listen for what clients do wrong. */
  clientErrorListeners(): readonly object[];
}

/**
 * Puts `events` between a server and those who listen to it, also those who will listen later.
 */
export function standBefore(server: HttpServer, events: ServerEvents): ServerListeners {
  const callAll = server.emit.bind(server) as (event: string, ...values: unknown[]) => boolean;
  captureRejections(server, events.failed);
  // As a rule one listens for requests, who is called past the emitter; but what others have put in the emitter's place sees all.
  const isPlain = server.emit === emitAll && (server as { readonly domain?: unknown }).domain === undefined;
  const emit = (event: string, ...values: unknown[]): boolean => {
    try {
      return callAll(event, ...values);
    } catch (thrown) {
      events.failed(thrown, event, values);
      return true;
    }
  };
  // Without a listener, Node answers these itself, past us.
  const ours = (): void => undefined;
  const answeredByNode = ["checkContinue", "checkExpectation", "connect"];
  for (const event of answeredByNode) server.on(event, ours);
  const connection = server instanceof TlsServer ? "secureConnection" : "connection";
  // Called for each request: its values are no list until somebody wants one.
  server.emit = function (event: string, first?: unknown, second?: unknown, third?: unknown): boolean {
    switch (event) {
      case "request":
        events.request(first as IncomingMessage, second as ServerResponse);
        return true;
      case "checkContinue":
      case "checkExpectation":
        events[event](first as IncomingMessage, second as ServerResponse);
        return true;
      case "upgrade":
      case "connect":
        events[event](first as IncomingMessage, second as Duplex, third as Buffer);
        return true;
      case "clientError":
        events.clientError(first as NodeJS.ErrnoException, second as Duplex);
        return true;
      case connection:
        events.connection(first as Socket, event);
        return true;
      case "timeout":
        return events.timeout(first as Socket) || callAll(event, first);
      case "error":
        return events.error(first as NodeJS.ErrnoException) || callAll(event, first);
      default:
        return callAll(...(arguments as unknown as [event: string, ...values: unknown[]]));
    }
  };
  return {
    emit,
    request: (incoming, response) => {
      try {
        const only = isPlain ? (server as PlainEmitter)._events?.["request"] : undefined;
        if (typeof only !== "function") {
          callAll("request", incoming, response);
          return;
        }
        const given: unknown = only.call(server, incoming, response);
        if (isThenable(given)) given.then(undefined, (thrown) => events.failed(thrown, "request", [incoming, response]));
      } catch (thrown) {
        events.failed(thrown, "request", [incoming, response]);
      }
    },
    has: (event) => server.listenerCount(event) > (answeredByNode.includes(event) ? 1 : 0),
    clientErrorListeners: () => server.listeners("clientError"),
  };
}

/**
 * Has Node tell what the promises of listeners reject with, as `captureRejections: true` does for an emitter that one makes
 * oneself (nodejs.org/api/events.html#capture-rejections-of-promises). Otherwise each would end the process.
 */
function captureRejections(server: HttpServer, failed: ServerEvents["failed"]): void {
  const capture = Object.getOwnPropertySymbols(server).find(({ description }) => description === "kCapture");
  if (capture === undefined) return;
  const emitter = server as unknown as Record<symbol, unknown>;
  emitter[capture] = true;
  emitter[Symbol.for("nodejs.rejection")] = (thrown: unknown, event: string, ...values: unknown[]) => failed(thrown, event, values);
}
