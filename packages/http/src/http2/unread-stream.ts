import type { Http2ServerRequest, ServerHttp2Stream } from "node:http2";

/** What Node keeps of a stream that is being read. */
interface ReadingState {
  readonly length: number;
  flowing: boolean | null;
  ended: boolean;
  endEmitted: boolean;
  resumeScheduled: boolean;
}

interface Read {
  readonly _events?: Readonly<Record<string, unknown>>;
  readonly _readableState?: ReadingState;
}

/**
 * Has a stream without a body, whose answer has been ended and which nobody has begun to read, be read in one step when it closes. Node
 * has such a one flow (`onStreamClose`), after it has asked in a turn of its own whether it should close it (`kMaybeDestroy`): four
 * turns of its queue for an `end`, which comes all the same.
 */
export function endUnreadStream(stream: ServerHttp2Stream): void {
  const state = (stream as Read)._readableState;
  // Not as read: a stream that is may be destroyed before all of its answer has been written.
  if (state !== undefined && stream.endAfterHeaders && state.ended && isUnread(state)) state.flowing = false;
}

/**
 * Notes of a request without a body that all of it has been read, where nobody has begun to: Node would have it flow, for an `end` that
 * nobody hears.
 *
 * @returns whether it is so
 */
export function endUnreadRequest(request: Http2ServerRequest): boolean {
  const { _events: events, _readableState: state } = request as Read;
  if (events === undefined || state === undefined || !isUnread(state) || events["end"] !== undefined) return false;
  state.ended = true;
  state.endEmitted = true;
  // So that it is not read: there is nothing to come.
  state.resumeScheduled = true;
  return true;
}

/** Whoever listens to `data` or `readable`, or pauses, has it be otherwise. */
function isUnread({ flowing, length }: ReadingState): boolean {
  return flowing === null && length === 0;
}
