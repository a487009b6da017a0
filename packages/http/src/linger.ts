import type { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import type { Clock } from "@tsserve/server";
import { connectionKey, type Connection, type TrackedSocket } from "./connection.ts";

/** For how long it may be quiet, and how long all of it may take. */
const quietLimitMs = 2000;
const longestMs = 5000;
const lookMs = 250;

/**
 * What has left this process waits in the kernels of both sides for the client to read it, who asks again when it has:
 * a slow one is taken to read so many bytes in a millisecond, for so long at most.
 */
const slowReaderBytesPerMs = 1000;
const slowReaderLimitMs = 4000;

/** How long a client may take to read the last answer. */
export function readingTimeOf({ lastAnswerBytes }: Connection): number {
  return Math.min(lastAnswerBytes / slowReaderBytesPerMs, slowReaderLimitMs);
}

/**
 * In the place of `Socket#destroySoon`, which Node calls after the last answer of a connection. A socket that is closed while
 * something it received is unread, or that is sent more, answers with a reset, and a client that is still sending (its too
 * large body, further requests of a pipeline) then meets the reset before the answer (RFC 9112, section 9.6). So only our
 * side is closed, and what still comes is thrown away until the client has closed its own, or has been quiet for a while: for
 * five seconds at most, but as long as something comes where the app itself reads on.
 */
export function lingerInClosing(this: Socket): void {
  const connection = (this as TrackedSocket)[connectionKey];
  if (connection === undefined || this.destroyed || connection.lingers || !mayBeSending(connection)) {
    Socket.prototype.destroySoon.call(this);
    return;
  }
  connection.lingers = true;
  const body = connection.unfinishedBody;
  const limitMs = quietLimitMs + readingTimeOf(connection);
  let bytes = this.bytesRead;
  let quietMs = 0;
  let lingeringMs = 0;
  if (body !== undefined && !isBeingRead(body) && body.readableFlowing !== false) discard(body, this);
  const look = setInterval(() => {
    const comes = this.bytesRead > bytes;
    const appReads = body !== undefined && !body.complete && isBeingRead(body) && comes;
    bytes = this.bytesRead;
    if (!this.writableFinished) return;
    quietMs = comes ? 0 : quietMs + lookMs;
    lingeringMs = appReads ? 0 : lingeringMs + lookMs;
    if (quietMs >= limitMs || lingeringMs >= longestMs + readingTimeOf(connection)) this.destroy();
    else if (!appReads && body !== undefined) discard(body, this);
  }, lookMs).unref();
  this.once("close", () => clearInterval(look));
  // When the client has ended, too, Node destroys it.
  this.end();
  this.resume();
}

/**
 * In the place of `Socket#end`. Node ends a socket when its client has (`socketOnEnd` in
 * github.com/nodejs/node/blob/main/lib/_http_server.js), also one that has been ended long before, as each that lingers: of that
 * Node makes an error, with its stack, which it hands to nobody (48,000 instructions for each connection).
 */
export function endOnce<T extends Socket>(this: T, ...given: unknown[]): T {
  if (given.length > 0 || !this.writableFinished) Socket.prototype.end.apply(this, given as never);
  return this;
}

/**
 * A body that is not read on after its answer stands before the next request for ever. Node throws it away where nobody has
 * begun to read it; where the app has, and does not go on, the connection ends.
 */
export function endUnlessRead(connection: Connection, clock: Clock): void {
  const { socket, unfinishedBody: body } = connection;
  if (body === undefined) return;
  let bytes = -1;
  let cancel = clock.after(lookMs, look);
  socket.once("close", () => cancel());

  function look(): void {
    if (connection.unfinishedBody !== body || connection.closing || socket.destroyed) return;
    if (isBeingRead(body as IncomingMessage) || socket.bytesRead !== bytes) {
      bytes = socket.bytesRead;
      cancel = clock.after(lookMs, look);
      return;
    }
    connection.closing = true;
    socket.destroySoon();
  }
}

/** A client that has ended, or that has said that this is its last request, sends nothing more. */
function mayBeSending({ socket, isClosing, hasClientEnded, unfinishedBody }: Connection): boolean {
  return !socket.readableEnded && (unfinishedBody !== undefined || (isClosing && !hasClientEnded));
}

/** Whether somebody reads the body of a request, at this moment. */
export function isBeingRead(body: IncomingMessage): boolean {
  return body.readableFlowing === true || body.listenerCount("readable") > 0;
}

/** Node's parser stops reading while a body that it pushes into is full. */
function discard(body: IncomingMessage, socket: Socket): void {
  body.push = () => true;
  socket.resume();
}
