import type { ServerHttp2Session } from "node:http2";
import { stackHere } from "@tsserve/config";

/**
 * Has a session that a client's GOAWAY ends closed and destroyed outside of nghttp2's callbacks. Node does either as soon as it has read of
 * it (`onGoawayData` in github.com/nodejs/node/blob/main/lib/internal/http2/core.js), in the middle of what nghttp2 reads: should more frames
 * follow in the same piece, nghttp2 before 1.68, which Node 20 has, fails an assertion, and the process ends
 * (github.com/nghttp2/nghttp2/pull/2509). One turn later all of the piece has been read. Whatever else ends a session is left as it is: Node
 * keeps what it has of sessions that are destroyed later than it counts on.
 */
export function endOutside(session: ServerHttp2Session, nghttp2Version: string = process.versions["nghttp2"] ?? ""): void {
  if (isSound(nghttp2Version)) return;
  const close = session.close.bind(session);
  const destroy = session.destroy.bind(session);
  session.close = (...args) => (isOfGoaway() ? void setImmediate(close, ...args) : close(...args));
  session.destroy = (...args) => (isOfGoaway() ? void setImmediate(destroy, ...args) : destroy(...args));
}

function isSound(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > 1 || minor >= 68;
}

/** Whether Node itself asks for it, since it has read a GOAWAY; a session ends but once. */
function isOfGoaway(): boolean {
  return stackHere().includes("onGoawayData");
}
