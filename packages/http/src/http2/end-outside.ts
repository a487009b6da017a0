import type { ServerHttp2Session } from "node:http2";

/**
 * Has a session closed and destroyed outside of nghttp2's callbacks, whoever asks for it. Node itself does both as soon as it has read of
 * a client's GOAWAY (`onGoawayData` in github.com/nodejs/node/blob/main/lib/internal/http2/core.js), in the middle of what nghttp2 reads:
 * should more frames follow in the same piece, nghttp2 before 1.68 fails an assertion, and the process ends
 * (github.com/nghttp2/nghttp2/pull/2509). One turn later all of the piece has been read.
 */
export function endOutside(session: ServerHttp2Session): void {
  const close = session.close.bind(session);
  const destroy = session.destroy.bind(session);
  session.close = (...args) => void setImmediate(close, ...args);
  session.destroy = (...args) => void setImmediate(destroy, ...args);
}
