import { ServerResponse } from "node:http";
import { requestKey, type HttpRequest } from "./http-request.ts";

type Chunk = string | Uint8Array;
type Callback = (error?: Error | null) => void;

/** What Node sends the pieces of an answer by, and what it calls when the last one has left the app. */
interface SendingResponse extends ServerResponse {
  [requestKey]?: HttpRequest;
  [sentKey]?: number;
  readonly _contentLength?: number | null;
  readonly _hasBody?: boolean;
  _last?: boolean;
  _send(chunk: Chunk, encoding: BufferEncoding | null, callback?: Callback | null, bytes?: number): boolean;
  _finish(): void;
}

/** Under which a response keeps how many bytes of its body have been sent. */
const sentKey: unique symbol = Symbol("tsserve.sent");

const { _send: send, _finish: finish } = ServerResponse.prototype as SendingResponse;

/**
 * Holds answers to the `Content-Length` that their apps tell, which Node sends as it is told: what is longer would be read as
 * the next answer, and what is shorter would take the beginning of it. Neither throws into the app, which may be anywhere by then
 * (Node's own `strictContentLength` does): the connection ends, where the answer ends, or at once.
 *
 * @param failed is told of each such answer, once
 * @returns what is called with each response before the app has it
 */
export function makeHoldLength(failed: (request: HttpRequest, error: Error) => void): (response: ServerResponse) => void {
  if (typeof send !== "function" || typeof finish !== "function") return () => undefined;

  function sendHeld(
    this: SendingResponse,
    chunk: Chunk,
    encoding: BufferEncoding | null,
    callback?: Callback | null,
    bytes?: number,
  ): boolean {
    const length = declaredLength(this);
    if (length === undefined || chunk.length === 0) return send.call(this, chunk, encoding, callback, bytes);
    const before = this[sentKey] ?? 0;
    const sent = before + (bytes ?? bytesOf(chunk, encoding));
    this[sentKey] = sent;
    if (sent <= length) return send.call(this, chunk, encoding, callback, bytes);
    // What had been sent of it is no whole answer either: the client is not to take it for one.
    if (before <= length) {
      tell(this, `the app's answer has ${sent} bytes or more, but its Content-Length says ${length}`);
      this.destroy();
    }
    if (typeof callback === "function") process.nextTick(callback);
    return false;
  }

  function finishHeld(this: SendingResponse): void {
    const length = declaredLength(this);
    const sent = this[sentKey] ?? 0;
    if (length !== undefined && this._hasBody !== false && sent < length) {
      tell(this, `the app's answer has ${sent} bytes, but its Content-Length says ${length}`);
      this._last = true;
    }
    finish.call(this);
  }

  function tell(response: SendingResponse, message: string): void {
    const request = response[requestKey];
    if (request !== undefined) failed(request, new RangeError(message));
  }

  return (response) => {
    (response as SendingResponse)._send = sendHeld;
    (response as SendingResponse)._finish = finishHeld;
  };
}

/** Chunks have no length beside their own. */
function declaredLength({ _contentLength: length, chunkedEncoding }: SendingResponse): number | undefined {
  return typeof length === "number" && !chunkedEncoding ? length : undefined;
}

function bytesOf(chunk: Chunk, encoding: BufferEncoding | null): number {
  return typeof chunk === "string" ? Buffer.byteLength(chunk, encoding ?? "utf8") : chunk.byteLength;
}
