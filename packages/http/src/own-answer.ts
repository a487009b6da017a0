import { STATUS_CODES, ServerResponse } from "node:http";
import type { HttpRequest } from "./http-request.ts";
import type { Refusal } from "./check-head.ts";

type AnyMethod = (this: ServerResponse, ...values: unknown[]) => unknown;

interface Rendered {
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

/** An answer below the app, in the shape that Fastify's own errors have. */
function render({ status, message }: Refusal): Rendered {
  const body = JSON.stringify({ statusCode: status, error: STATUS_CODES[status], message });
  return {
    headers: [
      ["Content-Type", "application/json; charset=utf-8"],
      ["Content-Length", String(Buffer.byteLength(body))],
    ],
    body,
  };
}

/** The bytes of an answer for a connection on which no request is in progress; it is the connection's last. */
export function lastAnswer(refusal: Refusal): string {
  const { headers, body } = render(refusal);
  const lines = [...headers, ["Date", new Date().toUTCString()], ["Connection", "close"]].map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}\r\n${lines.join("")}\r\n${body}`;
}

/**
 * Answers a request in the place of the app, and closes its connection. The app may have the response in its hands and
 * answer late: from here on, whatever it does with it goes nowhere, and throws nothing.
 *
 * @returns whether that was still possible: an answer that has begun is the app's
 */
export function answerInstead(request: HttpRequest, refusal: Refusal): boolean {
  const { response } = request;
  if (response === undefined || response.headersSent || response.writableEnded) return false;
  request.refusal = refusal;
  for (const name of response.getHeaderNames()) response.removeHeader(name);
  const { headers, body } = render(refusal);
  const flat = [...headers.flat(), "Connection", "close"];
  // Past what middlewares have put in the place of these: it is for answers of the app.
  const { writeHead, end } = ServerResponse.prototype as { writeHead: AnyMethod; end: AnyMethod };
  writeHead.call(response, refusal.status, STATUS_CODES[refusal.status] ?? "", flat);
  end.call(response, body);
  swallow(response);
  return true;
}

/** Gives an app that is late a response that takes everything. Its methods stand on the object: nobody else's change. */
function swallow(response: ServerResponse): void {
  const itself = (): ServerResponse => response;
  const written = (...values: unknown[]): void => {
    const callback = values.find((value) => typeof value === "function");
    if (callback !== undefined) process.nextTick(callback as () => void);
  };
  const methods = {
    setHeader: itself,
    setHeaders: itself,
    appendHeader: itself,
    removeHeader: () => undefined,
    writeHead: itself,
    flushHeaders: () => undefined,
    addTrailers: () => undefined,
    writeContinue: written,
    writeProcessing: written,
    writeEarlyHints: written,
    write: (...values: unknown[]) => (written(...values), true),
    end: (...values: unknown[]) => (written(...values), response),
    destroy: itself,
    // Express destroys the socket of a response whose head has been sent when an error comes later.
    headersSent: false,
  };
  for (const [name, value] of Object.entries(methods)) Object.defineProperty(response, name, { value, writable: true, configurable: true });
}
