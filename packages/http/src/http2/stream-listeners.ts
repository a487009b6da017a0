import type { ServerHttp2Stream } from "node:http2";
import { streamCloses } from "./close-stream.ts";

type Listener = (...values: unknown[]) => void;
type Listeners = Record<string, Listener | Listener[] | undefined>;

const timeoutKey: unique symbol = Symbol("tsserve.timeout");

interface ListenedStream extends ServerHttp2Stream {
  _events?: Listeners;
  _eventsCount?: number;
  readonly timeout?: number;
  /** Node's own listeners for `timeout`, while they are not there. */
  [timeoutKey]?: Listener | Listener[] | undefined;
}

/**
 * Has a stream not be told of the listeners that are added to it, until `tellAgain`. Node counts those of `priority` and `frameError`
 * (`streamListenerAdded` in github.com/nodejs/node/blob/main/lib/internal/http2/core.js), and so emits an event for each of the eleven
 * that the two messages of a request add for themselves, none of which is one of those.
 *
 * @returns what was told
 */
export function tellNobody(stream: ServerHttp2Stream): unknown {
  const events = (stream as ListenedStream)._events;
  const told = events?.["newListener"];
  if (events !== undefined && told !== undefined) events["newListener"] = undefined;
  return told;
}

export function tellAgain(stream: ServerHttp2Stream, told: unknown): void {
  const events = (stream as ListenedStream)._events;
  if (events !== undefined && told !== undefined) events["newListener"] = told as Listener;
}

/** A stream whose answer has been ended is not told of listeners any more: Node adds one, and takes all of them off. */
export function tellNobodyAnyMore(stream: ServerHttp2Stream): void {
  const events = (stream as ListenedStream)._events;
  if (events === undefined || events["priority"] !== undefined || events["frameError"] !== undefined) return;
  if (events["newListener"] !== undefined) events["newListener"] = undefined;
  if (events["removeListener"] !== undefined) events["removeListener"] = undefined;
}

/**
 * Takes off the listeners with which a request and its answer tell their apps that the stream has been quiet for too long, until a time is
 * set for it: hardly any app sets one, and Node takes them off one by one when the stream closes (`closeStream`).
 */
export function putOffTimeouts(plain: ServerHttp2Stream): void {
  const stream = plain as ListenedStream;
  const { _events: events, _eventsCount: count } = stream;
  const own = events?.["timeout"];
  if (events === undefined || count === undefined || own === undefined) return;
  events["timeout"] = undefined;
  stream._eventsCount = count - 1;
  stream[timeoutKey] = own;
  stream.setTimeout = setTimeoutHeard as typeof stream.setTimeout;
}

function setTimeoutHeard(this: ListenedStream, ms: number, callback?: () => void): ListenedStream {
  // Node calls all times off when it takes a stream for closed (`closeStream`).
  if (this.closed) streamCloses(this);
  // So it calls off what was never set.
  if (ms === 0 && callback === undefined && this.timeout === undefined) return this;
  const own = this[timeoutKey];
  if (own !== undefined) {
    this[timeoutKey] = undefined;
    for (const each of [own].flat().toReversed()) this.prependListener("timeout", each);
  }
  (Object.getPrototypeOf(this) as ServerHttp2Stream).setTimeout.call(this, ms, callback as () => void);
  return this;
}
