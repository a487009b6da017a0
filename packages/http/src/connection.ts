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

  beginRequest(): void {
    this.activeRequests += 1;
    this.used = true;
    this.halfSent = false;
  }

  endRequest(now: number): void {
    this.activeRequests -= 1;
    this.idleSince = now;
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
