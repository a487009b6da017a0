import type { Duplex } from "node:stream";
import type { OwnAnswers } from "./own-answer.ts";
import { badRequest, headTooLarge, requestTimedOut, type Refusal } from "./refusal.ts";
import { connectionKey, type Connection, type TrackedSocket } from "./connection.ts";
import type { Connections } from "./connections.ts";
import { newRequestId, type HttpRequest } from "./http-request.ts";
import type { ServerListeners } from "./server-events.ts";

export interface ClientErrorHandling {
  readonly connections: Connections;
  readonly answers: OwnAnswers;
  readonly listeners: ServerListeners;
  readonly headerTimeoutMs: number;
  readonly maxHeaderBytes: number;
  /** Called when a refusal is answered, or due, with the request whose answer it is, or the id of what was no request yet. */
  readonly onRefused: (refusal: Refusal, connection: Connection, request: HttpRequest | string) => void;
}

/**
 * What clients send that Node can't read, and what they do not send in time. An answer to it goes out after those that are
 * owed for the requests before it; it is none where the connection has become another protocol's, or nobody is there.
 */
export class ClientErrors {
  readonly #handling: ClientErrorHandling;

  constructor(handling: ClientErrorHandling) {
    this.#handling = handling;
  }

  /** Node's event `clientError`. */
  handle(error: NodeJS.ErrnoException, duplex: Duplex): void {
    const socket = duplex as TrackedSocket;
    const connection = socket[connectionKey];
    if (connection === undefined) {
      if (!this.#handling.listeners.emit("clientError", error, socket)) socket.destroy();
      return;
    }
    // Node tells the same again with each further piece that comes.
    if (connection.upgrade !== undefined || connection.unreadable || connection.lingers) return;
    if (socket.destroyed || !socket.writable || isConnectionError(error)) {
      socket.destroy();
      return;
    }
    if (error.code === "ERR_HTTP_REQUEST_TIMEOUT") this.#timedOut(connection, error);
    else this.#unreadable(connection, error);
  }

  /** Timers run before what has come is read: a loop that was busy would blame the client for it. */
  #timedOut(connection: Connection, error: NodeJS.ErrnoException): void {
    const { socket, requests, unfinishedBody } = connection;
    const bytes = socket.bytesRead;
    setImmediate(() => {
      if (socket.destroyed || connection.unreadable) return;
      if (socket.bytesRead === bytes) {
        this.#unreadable(connection, error);
        return;
      }
      // Node asks once for each request.
      this.#handling.connections.clock.after(this.#handling.headerTimeoutMs, () => {
        if (connection.requests !== requests || socket.destroyed || connection.unreadable) return;
        // What was late may have come since, and been answered: nothing is asked by a connection that idles.
        const isStillLate = unfinishedBody === undefined ? connection.isIdle : connection.unfinishedBody === unfinishedBody;
        if (isStillLate) this.#unreadable(connection, error);
      });
    });
  }

  #unreadable(connection: Connection, error: NodeJS.ErrnoException): void {
    const { socket } = connection;
    const body = connection.unfinishedBody;
    if (body === undefined && socket.bytesRead === 0) {
      // Browsers and balancers open connections to have them: nothing was asked.
      connection.unreadable = true;
      socket.destroy();
      return;
    }
    const refusal = refusalOf(error, this.#handling.maxHeaderBytes);
    if (body === undefined) this.refuse(connection, refusal, { error });
    else this.giveUpBody(connection, refusal);
  }

  /**
   * What comes after the requests in progress is not to be handled: it is answered in its turn, and the connection ends.
   *
   * @param id of the request, where there is one to have an id already
   */
  refuse(connection: Connection, refusal: Refusal, { error, id = newRequestId() }: { error?: Error; id?: string } = {}): void {
    const { answers, connections, listeners, onRefused } = this.#handling;
    connection.unreadable = true;
    connection.closing = true;
    connection.endReason ??= "rejected";
    onRefused(refusal, connection, id);
    connections.whenAnswered(connection, () => {
      const { socket } = connection;
      if (!socket.writable) return;
      const appListens = error !== undefined && listeners.clientErrorListeners().some((listener) => !isFastifysOwn(listener));
      if (appListens) {
        listeners.emit("clientError", error, socket);
        return;
      }
      socket.write(answers.last(refusal, id));
      socket.destroySoon();
    });
  }

  /** The rest of a body that has begun does not come, or can't be read: the request itself is answered, if it has not been. */
  giveUpBody(connection: Connection, refusal: Refusal): void {
    const { latest, socket } = connection;
    const body = connection.unfinishedBody;
    connection.unreadable = true;
    connection.closing = true;
    connection.endReason ??= "rejected";
    if (latest !== undefined && latest.incoming === body && this.#handling.answers.instead(latest, refusal)) {
      this.#handling.onRefused(refusal, connection, latest);
      return;
    }
    // Its answer has been given, or has begun; a second one would be taken for that of the next request.
    if (latest === undefined) socket.destroySoon();
    else socket.destroy();
  }
}

/** Without a listener of the app's own, Fastify's default one would answer: with what we say, but at its own time. */
function isFastifysOwn(listener: object): boolean {
  return (listener as { readonly name?: string }).name?.endsWith("defaultClientErrorHandler") === true;
}

function isConnectionError({ code }: NodeJS.ErrnoException): boolean {
  return code === "ECONNRESET" || code === "EPIPE" || code === "ETIMEDOUT" || code === "ECONNABORTED";
}

function refusalOf({ code }: NodeJS.ErrnoException, maxHeaderBytes: number): Refusal {
  switch (code) {
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return requestTimedOut;
    case "HPE_HEADER_OVERFLOW":
      return headTooLarge(maxHeaderBytes);
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return { status: 413, reason: "size", message: "the extensions of the body's chunks are too large" };
    default:
      return badRequest("the request can't be read as HTTP/1.1");
  }
}
