import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import type { Logger } from "pino";
import { requestFailed } from "./guard-listener.ts";

/** A web-standard app: Hono, h3, itty-router and the like. */
export interface FetchApp {
  fetch(request: Request): Response | Promise<Response>;
}

/** Serves a web-standard app to Node's HTTP server. The request's signal aborts when the client goes away. */
export function fetchListener(app: FetchApp, log: Logger): RequestListener {
  return (incoming, response) => {
    void answer(app, incoming, response).catch((error: unknown) => requestFailed(incoming, response, "the app", error, log));
  };
}

async function answer(app: FetchApp, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) gone.abort();
  });
  const answered = await app.fetch(toRequest(incoming, gone.signal));
  if (!response.writable) return;
  // Undefined header values are not sent; `Set-Cookie` is the one header that must not be joined.
  const cookies = answered.headers.getSetCookie();
  for (const [name, value] of answered.headers) if (name !== "set-cookie") response.setHeader(name, value);
  if (cookies.length > 0) response.setHeader("set-cookie", cookies);
  response.statusCode = answered.status;
  if (answered.statusText !== "") response.statusMessage = answered.statusText;
  if (answered.body === null) response.end();
  else await pipeline(Readable.fromWeb(answered.body as ReadableStream), response).catch(ignoreClientGone(gone.signal));
}

function ignoreClientGone(gone: AbortSignal): (error: unknown) => void {
  return (error) => {
    if (!gone.aborted) throw error;
  };
}

function toRequest(incoming: IncomingMessage, signal: AbortSignal): Request {
  const scheme = "encrypted" in incoming.socket ? "https" : "http";
  const url = new URL(incoming.url ?? "/", `${scheme}://${hostOf(incoming)}`);
  const headers = new Headers();
  for (let i = 0; i + 1 < incoming.rawHeaders.length; i += 2)
    headers.append(incoming.rawHeaders[i] ?? "", incoming.rawHeaders[i + 1] ?? "");
  const method = incoming.method ?? "GET";
  if (method === "GET" || method === "HEAD") return new Request(url, { method, headers, signal });
  const body = Readable.toWeb(incoming) as unknown;
  return new Request(url, { method, headers, signal, body, duplex: "half" } as RequestInit);
}

/** A `Host` that makes no URL (an empty one, or an attack) must not keep the app from answering. */
function hostOf(incoming: IncomingMessage): string {
  const host = incoming.headers.host ?? "";
  return /^[\w.-]+(?::\d{1,5})?$|^\[[0-9a-fA-F:.]+\](?::\d{1,5})?$/.test(host) ? host : "localhost";
}
