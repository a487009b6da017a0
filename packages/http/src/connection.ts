import type { Socket } from "node:net";
import type { HttpRequest } from "./http-request.ts";

/** What the server knows of one accepted connection. */
export class Connection {
  readonly socket: Socket;
  /** Requests whose answer is not finished. */
  activeRequests = 0;
  /** When the last request ended, or the connection was accepted. */
  idleSince: number;
  /** Where the connection became another protocol's: the request that asked for it. */
  upgrade: HttpRequest | undefined;
  /** Whether a part of the next request has been seen to arrive. Only kept up by `watch`. */
  halfSent = false;
  /** Whether it is read to its end only so that the client gets to see the last answer. */
  lingers = false;
  /** How many bytes the last answer had, with its head. */
  lastAnswerBytes = 0;
  private bytesAnswered = 0;
  private latest: HttpRequest | undefined;
  private used = false;
  private bytesSeen = 0;
  private quietSince = 0;

  constructor(socket: Socket, now: number) {
    this.socket = socket;
    this.idleSince = now;
  }

  get isIdle(): boolean {
    return this.activeRequests === 0 && this.upgrade === undefined;
  }

  beginRequest(request: HttpRequest): void {
    this.activeRequests += 1;
    this.latest = request;
    this.used = true;
    this.halfSent = false;
  }

  endRequest(request: HttpRequest, now: number): void {
    this.activeRequests -= 1;
    this.idleSince = now;
    const written = this.socket.bytesWritten;
    this.lastAnswerBytes = written - this.bytesAnswered;
    this.bytesAnswered = written;
    // An idle connection must not keep the memory of its last request.
    if (this.latest === request && request.incoming.complete) this.latest = undefined;
  }

  /** Whether the client has not sent all of the latest request's body. */
  get awaitsBody(): boolean {
    return this.latest !== undefined && !this.latest.incoming.complete;
  }

  /**
   * Whether only the client holds up the request in progress: the app reads the body, none of it is left
   * to read, and the answer has not begun.
   */
  get isHeldByClient(): boolean {
    const { incoming, response } = this.latest ?? {};
    if (incoming === undefined || incoming.complete || response?.headersSent !== false) return false;
    const isRead = incoming.readableFlowing === true || incoming.listenerCount("readable") > 0;
    return isRead && incoming.readableLength === 0;
  }

  /** From here on, `watch` tells whether bytes have come. */
  beginWatch(now: number): void {
    this.bytesSeen = this.socket.bytesRead;
    this.quietSince = now;
    this.halfSent = !this.used && this.bytesSeen > 0;
  }

  /** For how many milliseconds nothing has come. Node tells only how many bytes came in all. */
  watch(now: number): number {
    const bytes = this.socket.bytesRead;
    if (bytes > this.bytesSeen) {
      this.bytesSeen = bytes;
      this.quietSince = now;
      this.halfSent = this.isIdle;
    }
    return now - Math.max(this.quietSince, this.idleSince);
  }
}

export const connectionKey: unique symbol = Symbol("tsserve.connection");

export interface TrackedSocket extends Socket {
  [connectionKey]?: Connection;
}
