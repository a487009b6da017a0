import { constants, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { Clock } from "@tsserve/server";
import { Budget, type BudgetLimits } from "./budget.ts";
import type { Connection, Multiplexed } from "../connection.ts";
import type { Connections } from "../connections.ts";
import type { HttpRequest } from "../http-request.ts";
import { readingTimeOf } from "../linger.ts";
import { Retirement } from "./retirement.ts";

/** Streams that the client takes back before they are answered. nghttp2 has a limit of its own, of a thousand. */
const resetLimits: BudgetLimits = { burst: 500, perSecond: 30 };
/** Some clients measure the way by pings, one for each round trip. */
const pingLimits: BudgetLimits = { burst: 2000, perSecond: 500 };
const settingsLimits: BudgetLimits = { burst: 100, perSecond: 10 };

/** How long, after the session has ended, the client may take to close its side of the connection. */
const closeLimitMs = 2000;
/** How long a body may pause after the listener has closed, while the app waits for the rest of it. */
const stalledBodyMs = 2000;
const askAgainMs = 10_000;
/** How long a ping may take to be handed to the system, where nothing else waits to be. */
const writeLimitMs = 1000;

export interface SessionParts {
  readonly connections: Connections;
  readonly clock: Clock;
  readonly keepAliveTimeoutMs: number;
  readonly headerTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** The rest of a request's body does not come: it is to be answered, if it has not been. */
  giveUp(request: HttpRequest): void;
  /** The client does more of something than any honest one; the connection ends. */
  onAbuse(connection: Connection, what: string): void;
}

/** A stream in progress, and what is known of the body of its request. */
export interface StreamBody {
  /** When the last of it came, on the clock. */
  lastAt: number;
  /** Whether the app waits for it, and nothing else. */
  readonly isAwaited: () => boolean;
  /** Whether all of it has come. */
  readonly isWhole: () => boolean;
  /** Ends the stream: the rest can't come any more. */
  readonly abandon: () => void;
}

const sessionKey: unique symbol = Symbol("tsserve.session");

interface TrackedSession extends ServerHttp2Session {
  [sessionKey]?: Session;
}

/** The session of a stream; `undefined` where it has gone, or is none of ours. */
export function sessionOf(stream: ServerHttp2Stream): Session | undefined {
  return (stream.session as TrackedSession | undefined)?.[sessionKey];
}

/** What is owed on one connection of HTTP/2, what its client may do, and how it ends. */
export class Session implements Multiplexed {
  readonly connection: Connection;
  /** Whether its client went too far: nothing more of it is handled. */
  isCondemned = false;
  readonly #parts: SessionParts;
  readonly #session: ServerHttp2Session;
  readonly #streams = new Map<HttpRequest, StreamBody | undefined>();
  readonly #retirement: Retirement;
  readonly #resets: Budget;
  /** Requests of which the rest does not come, and since when that is so. */
  readonly #givenUp = new Map<HttpRequest, number>();
  /** How much has come from the client, and when the last of it did. */
  #heard = { bytes: 0, at: 0 };
  /** How much had been written when a ping was sent, and when that was. */
  #asked: { readonly bytes: number; readonly at: number } | undefined;
  #endedAt: number | undefined;
  /** Where the client has ended its side: when it was asked last whether it is there. */
  #askedAt: number | undefined;

  constructor(session: ServerHttp2Session, connection: Connection, parts: SessionParts) {
    const { clock } = parts;
    const now = clock.now();
    this.connection = connection;
    this.#parts = parts;
    this.#session = session;
    (session as TrackedSession)[sessionKey] = this;
    this.#resets = new Budget(resetLimits, now);
    this.#heard.at = now;
    this.#retirement = new Retirement(
      {
        announce: () => {
          if (session.destroyed) return;
          // A server's first frame is its settings (RFC 9113, section 3.4).
          if (this.#takesOnWhenTold && connection.socket.bytesWritten > 0) connection.socket.write(shutdownNotice);
          else session.goaway(constants.NGHTTP2_NO_ERROR, highestStreamId);
        },
        ping: (answered) => {
          try {
            session.ping((error) => {
              // Not at once, as in `#spend`.
              if (error === null) setImmediate(answered);
            });
          } catch {
            // It has gone, or too many pings are under way: the wait has its limit.
          }
        },
        close: () => session.close(),
      },
      clock,
    );
    const pings = new Budget(pingLimits, now);
    const settings = new Budget(settingsLimits, now);
    session.on("ping", () => this.#spend(pings, "pings"));
    session.on("remoteSettings", () => this.#spend(settings, "changes of settings"));
    connection.socket.once("end", () => this.#clientEnded());
    session.once("close", () => this.#retirement.cancel());
  }

  get inProgress(): Iterable<HttpRequest> {
    return this.#streams.keys();
  }

  get isOver(): boolean {
    return this.connection.socket.destroyed;
  }

  /** A stream has been opened: it is handled. */
  begins(request: HttpRequest, body: StreamBody | undefined): void {
    this.#streams.set(request, body);
  }

  ended(request: HttpRequest): void {
    this.#streams.delete(request);
    this.#givenUp.delete(request);
    this.#rotate();
  }

  /** The client took a stream back before it was answered. */
  reset(): void {
    if (!this.connection.socket.destroyed) this.#spend(this.#resets, "streams reset");
  }

  /**
   * The client sends no more. Bodies that are not whole never will be; the rest is answered, should it be there to read: TCP says the
   * same of a client that has gone, until something is sent to it.
   */
  #clientEnded(): void {
    for (const body of this.#streams.values()) if (body?.isWhole() === false) body.abandon();
    this.#session.close();
    this.#ask();
  }

  #ask(): void {
    this.#askedAt = this.#parts.clock.now();
    // Where too many pings are under way, each of them asks.
    if (!this.#session.destroyed) this.#ping(this.#askedAt);
  }

  /** Multiplexed. One that has not been used yet learns of the end with its first answer. */
  drain(): void {
    if (this.connection.requests > 0) this.#rotate();
  }

  /** Multiplexed. */
  end(): void {
    this.connection.endReason ??= "drain";
    this.#retirement.retire();
  }

  /** Ends what has lasted for too long. Called all the time. */
  look(now: number): void {
    const { connection } = this;
    if (this.#session.destroyed) {
      this.#endedAt ??= now;
      if (now - this.#endedAt >= closeLimitMs + readingTimeOf(connection)) connection.socket.destroy();
      return;
    }
    const { keepAliveTimeoutMs, headerTimeoutMs, requestTimeoutMs, connections, giveUp } = this.#parts;
    if (this.#askedAt !== undefined) {
      if (now - this.#askedAt >= askAgainMs) this.#ask();
      // What the answer was, where it was a reset, is only told to who writes.
      else if (this.#takesOnWhenTold) connection.socket.write(Buffer.alloc(0));
    }
    // It has come since the listener closed; its first streams came with it.
    if (connections.isEnding) this.end();
    if (this.#streams.size === 0) {
      if (now - connection.idleSince < (connection.requests === 0 ? headerTimeoutMs : keepAliveTimeoutMs)) return;
      connection.endReason ??= "idle";
      this.#retirement.retire();
      return;
    }
    if (this.#isMute(now)) {
      this.#session.destroy(Object.assign(new Error("nghttp2 has ended it"), { code: "ERR_HTTP2_ERROR" }));
      return;
    }
    for (const [request, body] of this.#streams) {
      if (body === undefined || body.isWhole()) continue;
      const givenUpAt = this.#givenUp.get(request);
      if (givenUpAt !== undefined) {
        // Its client does not read the answer.
        if (now - givenUpAt >= closeLimitMs + readingTimeOf(connection)) body.abandon();
        continue;
      }
      const isLate = now - request.startedAt >= requestTimeoutMs;
      const isStalled = connections.isEnding && now - body.lastAt >= stalledBodyMs && body.isAwaited();
      if (!isLate && !isStalled) continue;
      this.#givenUp.set(request, now);
      giveUp(request);
    }
  }

  /**
   * Whether nothing is read and written any more, though streams are in progress. nghttp2 ends a session by itself for what it can't
   * read, or may not be; before version 22 Node tells nobody, and would keep it as long as an answer lasts: not even that the client has
   * gone is read then. A client that has been silent for a while is sent a ping, and one that is never handed to the system shows it.
   */
  #isMute(now: number): boolean {
    const { socket } = this.connection;
    const { bytesRead, bytesWritten } = socket;
    if (bytesRead !== this.#heard.bytes) {
      this.#heard = { bytes: bytesRead, at: now };
      this.#asked = undefined;
    }
    if (this.#asked === undefined) {
      if (this.#askedAt === undefined && now - this.#heard.at >= askAgainMs) this.#ping(now);
      return false;
    }
    // A client that does not read holds up the ping, too.
    if (bytesWritten === this.#asked.bytes && unsentBytes(socket) === 0) return now - this.#asked.at >= writeLimitMs;
    this.#heard.at = now;
    this.#asked = undefined;
    return false;
  }

  #ping(now: number): void {
    const bytes = this.connection.socket.bytesWritten;
    try {
      // Node sends no ping on one that takes no more streams. What is said to that client once more is which the last one was.
      if (this.#session.closed) this.#session.goaway();
      else if (!this.#session.ping(() => undefined)) return;
      this.#asked ??= { bytes, at: now };
    } catch {
      // It has just gone.
    }
  }

  #rotate(): void {
    const { connections } = this.#parts;
    if (!connections.mustEnd(this.connection)) return;
    if (connections.stopping && !connections.isEnding && this.#takesOnWhenTold) this.#retirement.announce();
    else this.#retirement.retire();
  }

  /**
   * Whether streams are taken in after the first GOAWAY. Node has nghttp2 send it as if it were the last one, and from then on nghttp2
   * leaves new streams unanswered (`session_allow_incoming_new_stream` in github.com/nghttp2/nghttp2/blob/master/lib/nghttp2_session.c),
   * until the second one tells that they were refused: so that one comes soon. On a plain socket the frame can be written past it,
   * because nghttp2's writes are of whole frames; TLS takes one write at a time.
   */
  get #takesOnWhenTold(): boolean {
    return !("encrypted" in this.connection.socket);
  }

  #spend(budget: Budget, what: string): void {
    if (budget.spend(this.#parts.clock.now()) || this.isCondemned || this.#session.destroyed) return;
    this.isCondemned = true;
    this.connection.endReason ??= "rejected";
    this.#parts.onAbuse(this.connection, what);
    // Not at once: nghttp2 is in the middle of what it has read, and a session that is taken from it there ends the process.
    setImmediate(() => this.#session.destroy(new Error(`too many ${what}`), constants.NGHTTP2_ENHANCE_YOUR_CALM));
  }
}

/** What waits to be handed to the system (`writeQueueSize` of github.com/nodejs/node/blob/main/src/stream_base.cc); `undefined` where nobody knows. */
function unsentBytes(socket: object): number | undefined {
  const { _handle: handle } = socket as { readonly _handle?: { readonly writeQueueSize?: number } | null };
  return handle?.writeQueueSize;
}

/** RFC 9113, section 6.8: a server that is about to end says so with this one first. */
const highestStreamId = 2 ** 31 - 1;

/** The frame that nghttp2 calls by this name (RFC 9113, sections 4.1 and 6.8): 8 bytes of GOAWAY on stream 0, without an error. */
const shutdownNotice = Buffer.from([0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
