import { createServer, type ServerHttp2Session, type ServerOptions } from "node:http2";
import type { RequestListener } from "node:http";
import type { Socket } from "node:net";
import { afterReading, systemClock } from "@tsserve/server";
import type { Logger } from "pino";
import { expectationFailed, nobodyTunnels, type RejectionReason } from "../refusal.ts";
import { peerAddress, showPlainAddress } from "../client.ts";
import type { Connection } from "../connection.ts";
import type { Connections } from "../connections.ts";
import type { HttpSettings } from "../settings.ts";
import { endOutside } from "./end-outside.ts";
import { Session } from "./session.ts";
import { StreamRequest, StreamResponse } from "./stream-messages.ts";
import { makeTakeStream, type StreamHandling, type StreamTracking } from "./take-stream.ts";

export interface Http2Parts extends Omit<StreamTracking, "headers"> {
  readonly connections: Connections;
  readonly settings: HttpSettings;
  readonly log: Logger;
  readonly handle: RequestListener;
  /** Who takes a request that says `Expect: 100-continue`; the server, when the app begins to read, where there is nobody. */
  readonly checkContinue: () => RequestListener | undefined;
  /** Who takes a request that expects something else; `undefined` for nobody. */
  readonly checkExpectation: () => RequestListener | undefined;
  /** Called for a session that the client ended by a fault of its own. */
  onRejected(reason: RejectionReason): void;
}

/** How often sessions are looked at for what has lasted too long. */
const lookMs = 250;
/** A session's window is that of so many streams: one whose body nobody reads does not hold up the others. */
const sessionWindowBytes = 1 << 20;

/**
 * HTTP/2 for a server: connections come in when it is known that they speak it, and streams are handled as requests are. It does not
 * listen, and is never closed: Node's ways to end its sessions differ from version to version, so it is not asked to.
 */
export function openHttp2(parts: Http2Parts): { accept(connection: Connection, socket: Socket): void } {
  const { settings, connections, log, onRejected, handle } = parts;
  const server = createServer(optionsFor(settings));
  const taking = makeTakeStream({
    ...parts,
    headers: { server: settings.serverHeader, contentType: settings.contentType, requestIdHeader: settings.requestIdHeader },
  });
  const sessions = new Set<Session>();
  let timer: NodeJS.Timeout | undefined;
  let arriving: Connection | undefined;

  const look = (now: number): void => {
    for (const session of sessions) {
      if (session.isOver) sessions.delete(session);
      else session.look(now);
    }
    if (sessions.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };

  server.on("session", (session: ServerHttp2Session) => {
    const connection = arriving;
    if (connection === undefined) return;
    endOutside(session);
    session.setLocalWindowSize(sessionWindowBytes);
    const tracked = new Session(session, connection, {
      connections,
      clock: systemClock,
      keepAliveTimeoutMs: settings.keepAliveTimeoutMs,
      headerTimeoutMs: settings.headerTimeoutMs,
      requestTimeoutMs: settings.requestTimeoutMs,
      giveUp: taking.giveUp,
      onAbuse: ({ socket }, what) => {
        onRejected("overload");
        log.debug({ peer: peerAddress(socket) }, `ended a session of HTTP/2: its client sends too many ${what}`);
      },
    });
    connection.multiplexed = tracked;
    sessions.add(tracked);
    timer ??= setInterval(() => void afterReading(systemClock, look), lookMs).unref();
    session.once("error", (error: NodeJS.ErrnoException) => failed(connection, error));
  });

  function failed(connection: Connection, error: NodeJS.ErrnoException): void {
    if (connection.endReason === "rejected" || !error.code?.startsWith("ERR_HTTP2")) return;
    log.debug({ peer: peerAddress(connection.socket), reason: error.message }, `a session of HTTP/2 failed: ${error.message}`);
    // The client's own word that it failed is no fault.
    if (error.code === "ERR_HTTP2_SESSION_ERROR") return;
    connection.endReason ??= "rejected";
    onRejected(error.code === "ERR_HTTP2_TOO_MANY_INVALID_FRAMES" ? "overload" : "parse");
  }

  const on = (event: string, handlingOf: () => StreamHandling): void => {
    server.on(event, (incoming: StreamRequest, response: StreamResponse) => taking.take(incoming, response, handlingOf()));
  };
  on("request", () => ({ handle }));
  on("connect", () => ({ refusal: nobodyTunnels }));
  on("checkContinue", () => {
    const listener = parts.checkContinue();
    return listener === undefined ? { handle, expects: true } : { handle: listener };
  });
  on("checkExpectation", () => {
    const listener = parts.checkExpectation();
    return listener === undefined ? { refusal: expectationFailed } : { handle: listener };
  });

  return {
    accept: (connection, socket) => {
      // What is wrong with a socket is told to its session; when that has gone, to nobody.
      socket.on("error", () => undefined);
      if (socket.destroyed) return;
      // For the last answer of HTTP/1.
      delete (socket as { destroySoon?: unknown }).destroySoon;
      showPlainAddress(socket);
      arriving = connection;
      try {
        server.emit("connection", socket);
      } finally {
        arriving = undefined;
      }
    },
  };
}

/** Of the header lines, more than may be are let in, so that they can be answered with a 431; beyond that, Node resets the stream. */
function optionsFor({ maxHeaderLines, maxHeaderBytes, http2 }: HttpSettings): ServerOptions {
  const pairs = 4 * maxHeaderLines + 100;
  return {
    Http2ServerRequest: StreamRequest as unknown as NonNullable<ServerOptions["Http2ServerRequest"]>,
    Http2ServerResponse: StreamResponse as unknown as NonNullable<ServerOptions["Http2ServerResponse"]>,
    maxHeaderListPairs: pairs,
    maxSessionInvalidFrames: 100,
    maxSessionRejectedStreams: 100,
    maxSessionMemory: 32,
    settings: {
      maxConcurrentStreams: http2.maxStreams,
      maxHeaderListSize: Math.min(2 * maxHeaderBytes + 32 * pairs, 1 << 24),
      enablePush: false,
    },
  };
}
