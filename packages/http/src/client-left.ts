import type { IncomingMessage } from "node:http";
import { readField } from "@tsserve/config";

/** What streams and sockets of Node's fail with where the other side has gone. */
const codes: ReadonlySet<unknown> = new Set([
  "ECONNRESET",
  "EPIPE",
  "ECONNABORTED",
  "ERR_STREAM_PREMATURE_CLOSE",
  "ERR_STREAM_DESTROYED",
  "ERR_STREAM_UNABLE_TO_PIPE",
  "ABORT_ERR",
]);

/**
 * Whether an app failed at a request only because its client has gone: the stream that it sends breaks off, the body that it reads
 * ends early, the signal that it handed on aborts. The same from an upstream, while the client waits, is the app's failure.
 */
export function hasClientLeft(request: IncomingMessage | undefined, thrown: unknown): boolean {
  if (request === undefined) return false;
  if (!codes.has(readField(thrown, "code")) && readField(thrown, "name") !== "AbortError") return false;
  const { socket } = request as { readonly socket: IncomingMessage["socket"] | null | undefined };
  return socket === null || socket === undefined || socket.destroyed || socket.errored !== null;
}
