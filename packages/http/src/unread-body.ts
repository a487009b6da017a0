import { IncomingMessage } from "node:http";
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

function dump(this: UnreadMessage): void {
  if (this._dumped === true || !mayEndAtOnce(this)) {
    readToEnd.call(this);
    return;
  }
  this._dumped = true;
  const state = this._readableState as ReadingState;
  state.endEmitted = true;
  state.destroyed = true;
  state.closed = true;
  state.closeEmitted = true;
}

/** Whether all of it has come, there is nothing to read, and nobody listens or is about to. */
function mayEndAtOnce({ complete, _eventsCount: events, _readableState: state, [requestKey]: request }: UnreadMessage): boolean {
  if (!complete || events !== 0 || state === undefined || !state.ended || state.length > 0 || state.flowing !== null) return false;
  const response = request?.response;
  // Whoever waits for the end of the answer may begin to listen then: only Node itself waits.
  return response !== undefined && response.listenerCount("finish") <= 1 && response.listenerCount("close") === 0;
}
