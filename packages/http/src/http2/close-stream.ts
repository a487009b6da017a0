import { constants, type ServerHttp2Stream } from "node:http2";

const sentKey: unique symbol = Symbol("tsserve.sent");

const cutKey: unique symbol = Symbol("tsserve.cut");

interface ClosedStream extends ServerHttp2Stream {
  /** Whether nghttp2 had composed the last frame of the answer when the stream closed. */
  [sentKey]?: boolean;
  /** Whether the end of the request had not come when the stream closed. */
  [cutKey]?: boolean;
  /** What Node keeps of the reading; `ended` once the last frame of the request has come, whether or not all has been read. */
  readonly _readableState?: { readonly ended: boolean };
}

/**
 * Whether a stream closed before all of its request had come. Where that is no error (the client, or this side, needs no more of a stream
 * whose answer has left), Node ends what is read as if it were whole (`onStreamClose`), and does not count the stream as aborted.
 */
export function isCutShort(stream: ServerHttp2Stream): boolean {
  return (stream as ClosedStream)[cutKey] === true;
}

/**
 * Has a stream that has closed well be destroyed when its answer has been handed to the system. Node destroys one whose request has been
 * read as soon as nghttp2 has composed the last frame (`onStreamClose` in github.com/nodejs/node/blob/main/lib/internal/http2/core.js),
 * which is before the writes are told that they have been done: a whole answer to a POST has never finished then, as if its client had gone,
 * and an error that nobody sees is made for it (`errorBuffer` in github.com/nodejs/node/blob/main/lib/internal/streams/writable.js).
 */
export function destroyWhenSent(stream: ServerHttp2Stream): void {
  stream.destroy = destroySent;
}

function destroySent(this: ClosedStream, error?: Error): ClosedStream {
  // Node destroys it at its `finish` (`afterShutdown`); where the writes fail, with their error.
  if (this[sentKey] === true && (error ?? undefined) === undefined && !this.writableFinished && this.session?.destroyed === false)
    return this;
  return (Object.getPrototypeOf(this) as ServerHttp2Stream).destroy.call(this, error) as ClosedStream;
}

/**
 * To be called when Node takes a stream for closed, which is in the middle of nghttp2's own closing of it. A client may take a stream back
 * without an error (Envoy does): before version 26 Node then waits for the rest of the answer to be written, for ever, because nghttp2
 * writes no more of it.
 */
export function streamCloses(plain: ServerHttp2Stream): void {
  const stream = plain as ClosedStream;
  if (stream._readableState?.ended === false) stream[cutKey] = true;
  if (stream.rstCode !== constants.NGHTTP2_NO_ERROR || stream.destroyed || stream.writableFinished) return;
  stream[sentKey] = stream.state.localClose === 1;
  if (!stream[sentKey]) stream.once("end", destroyForgotten);
}

/** What has come of the request has been read. One turn later nghttp2 has let go of the stream, unless it was closed from this side. */
function destroyForgotten(this: ServerHttp2Stream): void {
  setImmediate(() => {
    if (!this.destroyed && this.state.state === constants.NGHTTP2_STREAM_STATE_IDLE) this.destroy();
  });
}
