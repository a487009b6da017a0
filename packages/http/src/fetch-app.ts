import type { IncomingMessage, OutgoingHttpHeader, RequestListener, ServerResponse } from "node:http";
import type { ReadableStream, ReadableStreamReadResult } from "node:stream/web";
import { failureReports } from "@tsserve/server";
import type { Logger } from "pino";
import type { Refusal } from "./refusal.ts";
import { toFetchRequest } from "./fetch-request.ts";
import { requestFailed } from "./guard-listener.ts";
import { requestKey, type TrackedMessage } from "./http-request.ts";

/** A web-standard app: Hono, h3, itty-router and the like. */
export interface FetchApp {
  fetch(request: Request): Response | Promise<Response>;
}

/** Serves a web-standard app to Node's HTTP server. The request's signal aborts when the client goes away. */
export function fetchListener(app: FetchApp, log: Logger): RequestListener {
  return (incoming, response) => {
    void answer(app, incoming, response, log).catch((error: unknown) => requestFailed(incoming, response, "the app", error, log));
  };
}

async function answer(app: FetchApp, incoming: IncomingMessage, response: ServerResponse, log: Logger): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) gone.abort();
  });
  const request = toFetchRequest(incoming, gone.signal);
  if (!(request instanceof Request)) {
    refuse(incoming, response, request, log);
    return;
  }
  // Where a framework tells its error handler of the request, the tracker of errors finds whose it is. Not to be seen in what an app prints.
  if (failureReports().isWanted) Object.defineProperty(request, requestKey, { value: (incoming as TrackedMessage)[requestKey] });
  const answered: unknown = await app.fetch(request);
  if (!isResponse(answered)) throw new TypeError(`fetch gave ${answered === null ? "null" : `a ${typeof answered}`}, expected a Response`);
  if (!response.writable) {
    await answered.body?.cancel().catch(() => undefined);
    return;
  }
  await send(answered, incoming, response, gone.signal);
  // What the app has not read stands before the next request of the connection.
  if (!incoming.complete) incoming.resume();
}

/** By its parts: a framework may have a class of its own. */
function isResponse(value: unknown): value is Response {
  return typeof value === "object" && value !== null && "status" in value && "headers" in value && "body" in value;
}

/** A client's fault is no news. */
function refuse(incoming: TrackedMessage, response: ServerResponse, refusal: Refusal, log: Logger): void {
  log.debug({ status: refusal.status, reason: refusal.message }, "a request that no web-standard app can be given");
  const tracked = incoming[requestKey];
  if (tracked !== undefined) tracked.connection.refuse(tracked, refusal);
  else response.writeHead(refusal.status, { "Content-Length": 0 }).end();
}

/** Headers that describe the connection and the message on it, which are not the app's (RFC 9110, section 7.6.1). */
const hopByHop: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
  "te",
  "trailer",
]);

async function send(answered: Response, incoming: IncomingMessage, response: ServerResponse, gone: AbortSignal): Promise<void> {
  const { status, statusText, body } = answered;
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    // `Response.error()` has the status 0: a failure of the network, of which there is none here.
    await body?.cancel().catch(() => undefined);
    throw new RangeError(`fetch gave a Response with the status ${status}, expected 200 to 599`);
  }
  const hasBody = incoming.method !== "HEAD" && status !== 204 && status !== 304;
  // What was compressed once and passed on, as by a `fetch` of the app's, has the length of another body.
  const declared = answered.headers.has("content-encoding") ? undefined : declaredLength(answered.headers);
  response.statusCode = status;
  // HTTP/2 has none.
  if (incoming.httpVersionMajor < 2 && statusText !== "" && /^[\t\x20-\x7e\x80-\xff]*$/.test(statusText))
    response.statusMessage = statusText;
  setHeaders(response, answered.headers);
  if (body === null) {
    // A HEAD may tell the length of what a GET would give.
    if (!hasBody && status !== 204 && declared !== undefined) response.setHeader("Content-Length", declared);
    else if (hasBody) response.setHeader("Content-Length", 0);
    response.end();
    return;
  }
  if (!hasBody) {
    if (status !== 204 && declared !== undefined) response.setHeader("Content-Length", declared);
    response.end();
    await body.cancel().catch(() => undefined);
    return;
  }
  await sendBody(body as ReadableStream<Uint8Array>, response, declared, gone);
}

/** `Set-Cookie` is the one header that must not be joined. */
function setHeaders(response: ServerResponse, headers: Headers): void {
  const cookies = headers.getSetCookie();
  for (const [name, value] of headers)
    if (name !== "set-cookie" && name !== "content-length" && !hopByHop.has(name)) response.setHeader(name, value);
  if (cookies.length > 0) response.setHeader("set-cookie", cookies as unknown as OutgoingHttpHeader);
}

function declaredLength(headers: Headers): number | undefined {
  const written = headers.get("content-length");
  return written !== null && /^\d{1,15}$/.test(written) ? Number(written) : undefined;
}

/**
 * Sends what the stream gives, framed by what it is: by its length where the first chunk is the last; by the one that the app told, to
 * which it is held; else in chunks. No answer is longer than it says, whatever the app says: the rest would be the head of the next.
 */
async function sendBody(
  body: ReadableStream<Uint8Array>,
  response: ServerResponse,
  declared: number | undefined,
  gone: AbortSignal,
): Promise<void> {
  const reader = body.getReader();
  const stop = (): void => void reader.cancel(gone.reason).catch(() => undefined);
  gone.addEventListener("abort", stop, { once: true });
  try {
    let chunk = await reader.read();
    // The next one shows whether there is more; where it is not there at once, the first goes out as the beginning of a stream.
    let next = chunk.done ? undefined : reader.read();
    const isWhole = chunk.done || (await isDone(next));
    if (isWhole) {
      const bytes = chunk.value ?? new Uint8Array();
      checkBytes(bytes);
      response.setHeader("Content-Length", bytes.byteLength);
      response.end(bytes);
      return;
    }
    if (declared !== undefined) response.setHeader("Content-Length", declared);
    let sent = 0;
    while (!chunk.done) {
      if (gone.aborted) return;
      checkBytes(chunk.value);
      sent += chunk.value.byteLength;
      if (declared !== undefined && sent > declared) throw wrongLength(declared, sent);
      if (!response.write(chunk.value)) await drained(response, gone);
      chunk = await (next ?? reader.read());
      next = undefined;
    }
    if (declared !== undefined && sent < declared) throw wrongLength(declared, sent);
    response.end();
  } catch (error) {
    if (gone.aborted) return;
    stop();
    throw error;
  } finally {
    gone.removeEventListener("abort", stop);
  }
}

/** Whether a read is over already, with the end of the stream. */
async function isDone(read: Promise<ReadableStreamReadResult<Uint8Array>> | undefined): Promise<boolean> {
  if (read === undefined) return true;
  const later = new Promise<undefined>((resolve) => {
    setImmediate(resolve, undefined);
  });
  const first = await Promise.race([read.catch(() => undefined), later]);
  return first?.done === true;
}

function checkBytes(chunk: unknown): asserts chunk is Uint8Array {
  if (!(chunk instanceof Uint8Array)) throw new TypeError(`the body of a Response gave a ${typeof chunk}, expected bytes`);
}

function wrongLength(declared: number, bytes: number): RangeError {
  return new RangeError(`the body of a Response has ${bytes} bytes or more, but its Content-Length says ${declared}`);
}

function drained(response: ServerResponse, gone: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      response.off("drain", end);
      gone.removeEventListener("abort", end);
      resolve();
    };
    response.once("drain", end);
    gone.addEventListener("abort", end, { once: true });
  });
}
