import { IncomingMessage, type ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { requestKey, type TrackedMessage } from "./http-request.ts";

/** What Node keeps of a message that is being read. */
interface ReadingState {
  readonly length: number;
  readonly flowing: boolean | null;
  readonly ended: boolean;
  endEmitted: boolean;
  destroyed: boolean;
  closed: boolean;
  closeEmitted: boolean;
}

interface UnreadMessage extends TrackedMessage {
  readonly _readableState?: ReadingState;
  readonly _eventsCount?: number;
  _dumped?: boolean;
  _dump(): void;
}

/** Who listens to an answer: a function where there is one. */
interface ListenedResponse extends ServerResponse {
  readonly _events?: Readonly<Record<string, unknown>>;
  readonly _eventsCount?: number;
}

const { _dump: readToEnd } = IncomingMessage.prototype as UnreadMessage;

/**
 * Ends a request that has no body, and which nobody reads, in one step when it has been answered. Node reads such a one, too: three turns
 * of its queue for an `end` and a `close` that nobody hears, and a listener of its own (`resOnFinish` in
 * github.com/nodejs/node/blob/main/lib/_http_server.js). What is noted here is what is true after those: since version 24
 * Node does the same, on demand, for all requests without a body, before the app sees them (`optimizeEmptyRequests`).
 */
export function endUnread(incoming: IncomingMessage): void {
  if (typeof readToEnd === "function") (incoming as UnreadMessage)._dump = dump;
}

/**
 * Node keeps what is true of a stream as bits of one number, and each name of them is a function: all are noted at once where that
 * is so (`makeBitMapDescriptor` in github.com/nodejs/node/blob/main/lib/internal/streams/readable.js).
 */
const atOnce = ((): { readonly key: PropertyKey; readonly bits: number } | undefined => {
  const state = (new Readable() as unknown as { readonly _readableState?: ReadingState })._readableState;
  if (state === undefined) return undefined;
  const numbers = state as unknown as Record<PropertyKey, unknown>;
  const before = Reflect.ownKeys(state).map((key) => [key, numbers[key]] as const);
  noteEnd(state);
  const changed = before.filter(([key, value]) => numbers[key] !== value);
  const [first] = changed;
  if (first === undefined || changed.length > 1) return undefined;
  const [key, value] = first;
  const now = numbers[key];
  return typeof value === "number" && typeof now === "number" && (value & now) === value ? { key, bits: now & ~value } : undefined;
})();

function noteEnd(state: ReadingState): void {
  state.endEmitted = true;
  state.destroyed = true;
  state.closed = true;
  state.closeEmitted = true;
}

function dump(this: UnreadMessage): void {
  if (this._dumped === true || !mayEndAtOnce(this)) {
    readToEnd.call(this);
    return;
  }
  this._dumped = true;
  const state = this._readableState as ReadingState & Record<PropertyKey, number>;
  if (atOnce === undefined) noteEnd(state);
  else state[atOnce.key] = (state[atOnce.key] as number) | atOnce.bits;
}

/** Whether all of it has come, there is nothing to read, and nobody listens or is about to. */
function mayEndAtOnce({ complete, _eventsCount: events, _readableState: state, [requestKey]: request }: UnreadMessage): boolean {
  if (!complete || events !== 0 || state === undefined || !state.ended || state.length > 0 || state.flowing !== null) return false;
  const response: ListenedResponse | undefined = request?.response;
  if (response === undefined) return false;
  // Whoever waits for the end of the answer may begin to listen then: only Node itself waits.
  if (response._eventsCount === 1 && typeof response._events?.["finish"] === "function") return true;
  return response.listenerCount("finish") <= 1 && response.listenerCount("close") === 0;
}
