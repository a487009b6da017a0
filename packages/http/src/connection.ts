import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { announcedBytes } from "./body-bytes.ts";
import type { Refusal } from "./refusal.ts";
import type { HttpRequest } from "./http-request.ts";

/** Values of the label `reason` of `http_server_connections_closed_total`. */
export type EndReason = "idle" | "requests" | "age" | "drain" | "client" | "cut" | "app" | "rejected";

/** A connection that carries several requests at once, and ends as its own protocol has it: a session of HTTP/2. */
export interface Multiplexed {
  /** Requests whose answer is not finished. */
  readonly inProgress: Iterable<HttpRequest>;
  /** The stop signal has come. */
  drain(): void;
  /** The listener has closed: the connection ends with the last of what it owes. */
  end(): void;
}

/** How long a connection may be used, by lot; see `rotation.ts`. */
export interface Lifetime {
  readonly maxRequests: number;
  readonly maxAgeMs: number;
}

const unlimited: Lifetime = { maxRequests: Number.POSITIVE_INFINITY, maxAgeMs: Number.POSITIVE_INFINITY };

/**
 * What the server knows of one accepted connection, and what it owes on it: an answer to each request whose handler
 * runs, in the order in which the requests came. The requests in progress are a list that runs through the requests.
 */
export class Connection {
  /** What requests are read from: the accepted socket, or the one that TLS has made of it. */
  socket: Socket;
  /** Whether its PROXY header or its handshake has not come to an end: nothing may be written to it as HTTP. */
  isEntering = false;
  /** The last of the requests whose answers are not finished; the others follow by `earlier`. */
  latest: HttpRequest | undefined;
  /** Requests whose answer is not finished. */
  activeRequests = 0;
  /** How many requests have come. */
  requests = 0;
  /** The answer to so many requests ends it. */
  readonly maxRequests: number;
  /** From this time on, on the clock, its next answer ends it. */
  readonly maxAgeAt: number;
  /** Why it ended, or is about to, where it was not its client's doing. */
  endReason: EndReason | undefined;
  /** When the last request ended, or the connection was accepted. */
  idleSince: number;
  /** Where the connection became another protocol's, or is about to: the request that asked for it. */
  upgrade: HttpRequest | undefined;
  /** Whether it will be told to end, or has been, as its protocol has it. */
  goesAway = false;
  /** Whether its last answer is fixed. RFC 9112, section 9.6: what comes after that must not be handled. */
  closing = false;
  /** Whether the app said `Connection: close` with an answer that was not the last in progress: the last one says it. */
  closeWanted = false;
  /** Where it speaks HTTP/2: then requests and answers are no matter of this class, but for how many there are. */
  multiplexed: Multiplexed | undefined = undefined;
  /** What is to happen when all answers that are owed have been sent. */
  whenAnswered: (() => void) | undefined;
  /** Whether Node could not read what the client sent: nothing of it is read any more. */
  unreadable = false;
  /** Whether the client said that its last request is the last. */
  clientEnds = false;
  /** Whether it is read to its end only so that the client gets to see the last answer. */
  lingers = false;
  /** How many bytes the last answer had, with its head. */
  lastAnswerBytes = 0;
  /** Neighbours in the list of idle connections, which is the list's own: the longest idle first. */
  idleBefore: Connection | undefined = undefined;
  idleAfter: Connection | undefined = undefined;
  /** Answers a request on it in the place of the app; tells whether that was still possible. */
  refuse: (request: HttpRequest, refusal: Refusal) => boolean = () => false;
  private bytesAnswered = 0;
  private reading: IncomingMessage | undefined;
  private bytesSeen = 0;
  private quietSince = 0;
  /** Whether a part of the head of the next request has been seen to arrive. */
  private headBegun = false;
  /** Whether what comes before the next look may be of a request that has begun, rather than the beginning of another one. */
  private hadRequest = false;

  constructor(socket: Socket, now: number, { maxRequests, maxAgeMs }: Lifetime = unlimited) {
    this.socket = socket;
    this.idleSince = now;
    this.maxRequests = maxRequests;
    this.maxAgeAt = now + maxAgeMs;
  }

  get isIdle(): boolean {
    return this.activeRequests === 0 && this.upgrade === undefined && this.whenAnswered === undefined;
  }

  /** Whether a request that comes now is one too many: its client has been told that the connection ends. */
  get isClosing(): boolean {
    if (this.closing || this.lingers) return true;
    return this.latest !== undefined && saysClose(this.latest);
  }

  /** Whether the client said that its last request is the last. Node ends the connection before it tells that the answer is over. */
  get hasClientEnded(): boolean {
    return this.clientEnds || (this.latest !== undefined && saysClose(this.latest) && asksForClose(this.latest.incoming));
  }

  beginRequest(request: HttpRequest): void {
    request.earlier = this.latest;
    this.latest = request;
    this.reading = request.incoming;
    this.activeRequests += 1;
    this.requests += 1;
    this.headBegun = false;
    this.hadRequest = true;
  }

  endRequest(request: HttpRequest, now: number): void {
    if (this.latest === request) this.latest = request.earlier;
    else this.#unlink(request);
    request.earlier = undefined;
    this.activeRequests -= 1;
    this.idleSince = now;
    if (saysClose(request)) {
      this.closing = true;
      this.clientEnds = asksForClose(request.incoming);
      if (!this.clientEnds) this.endReason ??= request.refusal === undefined ? "app" : "rejected";
    }
    const announced = announcedBytes(request.response);
    const written = announced === undefined ? bytesWrittenTo(this.socket) : this.bytesAnswered + announced;
    this.lastAnswerBytes = written - this.bytesAnswered;
    this.bytesAnswered = written;
    // An idle connection must not keep the memory of its last request.
    if (this.reading === request.incoming && request.incoming.complete) this.reading = undefined;
  }

  #unlink(request: HttpRequest): void {
    for (let later = this.latest; later !== undefined; later = later.earlier) {
      if (later.earlier === request) {
        later.earlier = request.earlier;
        return;
      }
    }
  }

  /** The requests in progress, the oldest first. */
  inProgress(): HttpRequest[] {
    const requests: HttpRequest[] = [];
    for (let request = this.latest; request !== undefined; request = request.earlier) requests.unshift(request);
    return requests;
  }

  /** The latest request's message, while the client has not sent all of its body. */
  get unfinishedBody(): IncomingMessage | undefined {
    return this.reading === undefined || this.reading.complete ? undefined : this.reading;
  }

  /**
   * Whether only the client holds up the request in progress: the app reads the body, none of it is left
   * to read, and the answer has not begun.
   */
  get isHeldByClient(): boolean {
    const incoming = this.unfinishedBody;
    if (incoming === undefined || this.latest?.incoming !== incoming || this.latest.response?.headersSent !== false) return false;
    const isRead = incoming.readableFlowing === true || incoming.listenerCount("readable") > 0;
    return isRead && incoming.readableLength === 0;
  }

  /**
   * Whether a part of a request has come, and the rest of it has not: of the head of the next one, or of the body of one that has been
   * answered before all of it came. Of a head it is only known by `watch`.
   */
  get halfSent(): boolean {
    return this.headBegun || this.unfinishedBody !== undefined;
  }

  /** The handshake is over: what comes from now on is the client's, and is counted from none on. */
  becomes(socket: Socket, now: number): void {
    this.socket = socket;
    this.idleSince = now;
    this.bytesAnswered = socket.bytesWritten;
    this.beginWatch(now);
    this.headBegun = false;
  }

  /** From here on, `watch` tells whether bytes have come. */
  beginWatch(now: number): void {
    this.bytesSeen = this.socket.bytesRead;
    this.quietSince = now;
    this.headBegun = this.requests === 0 && this.bytesSeen > 0;
    this.hadRequest = this.#hasRequest;
  }

  /**
   * For how many milliseconds nothing has come. Node tells only how many bytes came in all, not what they were: they are the beginning of
   * a request where nothing else was, now or since the look before. Of one whose beginning came together with the end of another it is
   * seen only with its next bytes; the other mistake would be a 408 that nobody asked for, in the place of the answer to what comes next.
   */
  watch(now: number): number {
    const bytes = this.socket.bytesRead;
    const hasRequest = this.#hasRequest;
    if (bytes > this.bytesSeen) {
      this.bytesSeen = bytes;
      this.quietSince = now;
      if (!hasRequest && !this.hadRequest) this.headBegun = true;
    }
    this.hadRequest = hasRequest;
    return now - Math.max(this.quietSince, this.idleSince);
  }

  /** Whether what comes may be of a request whose head has come. */
  get #hasRequest(): boolean {
    return !this.isIdle || this.unfinishedBody !== undefined;
  }
}

/** What Node keeps of a socket: what the system has been given, and counts. */
interface CountingSocket extends Socket {
  readonly _handle?: { readonly bytesWritten?: number } | null;
}

/** What the socket's own `bytesWritten` gives, which makes a list of what still waits, and walks through it, also where nothing does. */
function bytesWrittenTo(socket: CountingSocket): number {
  const handed = socket.writableLength === 0 ? socket._handle?.bytesWritten : undefined;
  return handed ?? socket.bytesWritten;
}

/**
 * Whether the head of an answer is fixed, and its connection ends with it: what Node goes by when the answer is finished
 * (`resOnFinish` in github.com/nodejs/node/blob/main/lib/_http_server.js).
 */
export function saysClose({ response }: HttpRequest): boolean {
  return (response as { readonly _last?: boolean } | undefined)?._last === true;
}

function asksForClose({ httpVersionMinor, headers }: IncomingMessage): boolean {
  const connection = headers.connection ?? "";
  return httpVersionMinor === 0 ? !/keep-alive/i.test(connection) : /\bclose\b/i.test(connection);
}

export const connectionKey: unique symbol = Symbol("tsserve.connection");

export interface TrackedSocket extends Socket {
  [connectionKey]?: Connection;
}
