import { STATUS_CODES, ServerResponse, validateHeaderName, validateHeaderValue } from "node:http";
import { isThenable } from "@tsserve/server";
import type { HttpRequest } from "./http-request.ts";
import type { Refusal } from "./refusal.ts";

type AnyMethod = (this: ServerResponse, ...values: unknown[]) => unknown;

/** What an `errors` module is told of an answer below the app. */
export interface ErrorDescription {
  readonly status: number;
  /** What was wrong, as in `http_server_rejected_requests_total{reason}`. */
  readonly code: string;
  readonly message: string;
  /** As the log has it, and the header `request_id_header`. */
  readonly requestId: string;
}

export interface RenderedError {
  /** A header that has several values, as `Set-Cookie` may, has a line for each. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body: string | Uint8Array;
}

/** What an `errors` module exports. It is not waited for: it gives the answer at once. */
export type ErrorRenderer = (error: ErrorDescription) => RenderedError;

export interface OwnAnswerSettings {
  readonly renderError: ErrorRenderer | undefined;
  readonly serverHeader: string | undefined;
  /** The header that says which request an answer is for. */
  readonly requestIdHeader: string | undefined;
  /** Called with what the `errors` module throws, or what is wrong with what it gives. */
  readonly failed: (thrown: unknown) => void;
}

/** An answer of an `errors` module is for reading. */
const longestBody = 65_536;
/** Names and values together, as Node's own clients take it: a head that is larger nobody could read. */
const longestHead = 16_384;
/** What says where a message ends, and what becomes of the connection, is not the module's to say. */
const framing = /^(?:connection|keep-alive|transfer-encoding|content-length|upgrade|te|trailer|date)$/i;

interface Rendered {
  /** Names and values, in turn. */
  readonly headers: readonly (string | readonly string[])[];
  readonly body: Uint8Array;
}

/** A header, with all its values. */
type Field = readonly [name: string, value: string | readonly string[]];

/** What an `errors` module gave. */
interface CheckedError {
  readonly fields: readonly Field[];
  readonly body: string | Uint8Array;
}

/** The answers that the server gives in the place of the app. */
export class OwnAnswers {
  readonly #settings: OwnAnswerSettings;
  #hasFailed = false;

  constructor(settings: OwnAnswerSettings) {
    this.#settings = settings;
  }

  /** The bytes of an answer for a connection on which no request is in progress; it is the connection's last. */
  last(refusal: Refusal, requestId: string): Buffer {
    const { headers, body } = this.#render(refusal, requestId);
    const { requestIdHeader } = this.#settings;
    const named = requestIdHeader === undefined || hasName(headers, requestIdHeader) ? [] : [requestIdHeader, requestId];
    const all = [...headers, ...named, "Date", new Date().toUTCString(), "Connection", "close"];
    let head = `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}\r\n`;
    for (let n = 0; n < all.length; n += 2) for (const value of [all[n + 1]].flat()) head += `${String(all[n])}: ${value}\r\n`;
    return Buffer.concat([Buffer.from(`${head}\r\n`, "latin1"), body]);
  }

  /**
   * Answers a request in the place of the app, and closes its connection unless the refusal says otherwise. The app may have
   * the response in its hands and answer late: from here on, whatever it does with it goes nowhere, and throws nothing.
   *
   * @returns whether that was still possible: an answer that has begun is the app's
   */
  instead(request: HttpRequest, refusal: Refusal): boolean {
    const { response } = request;
    // A response that swallows what comes says of itself that nothing has been sent.
    if (request.refusal !== undefined) return false;
    if (response === undefined || response.headersSent || response.writableEnded) return false;
    request.refusal = refusal;
    for (const name of response.getHeaderNames()) response.removeHeader(name);
    const { headers, body } = this.#render(refusal, request.id);
    // Past what middlewares have put in the place of these: it is for answers of the app.
    const isHttp2 = request.incoming.httpVersionMajor === 2;
    const { writeHead, end } = (isHttp2 ? Object.getPrototypeOf(response) : ServerResponse.prototype) as {
      writeHead: AnyMethod;
      end: AnyMethod;
    };
    const connection = refusal.keepsConnection === true || isHttp2 ? [] : ["Connection", "close"];
    writeHead.call(response, refusal.status, STATUS_CODES[refusal.status] ?? "", [...headers, ...connection]);
    end.call(response, body);
    swallow(response);
    return true;
  }

  #render(refusal: Refusal, requestId: string): Rendered {
    const { renderError, serverHeader, failed } = this.#settings;
    const own = serverHeader === undefined ? [] : ["Server", serverHeader];
    if (renderError !== undefined) {
      try {
        return framed(refusal, checked(renderError(describe(refusal, requestId))), own);
      } catch (thrown) {
        if (!this.#hasFailed) failed(thrown);
        this.#hasFailed = true;
      }
    }
    const body = JSON.stringify({ statusCode: refusal.status, error: STATUS_CODES[refusal.status], message: refusal.message });
    return framed(refusal, { fields: [["Content-Type", "application/json; charset=utf-8"]], body }, own);
  }
}

function describe({ status, reason, message }: Refusal, requestId: string): ErrorDescription {
  return { status, code: reason, message, requestId };
}

/** @throws {TypeError} when it is no answer */
function checked(given: RenderedError): CheckedError {
  if (isThenable(given)) {
    // Nobody else takes what it may be rejected with, which would end the process.
    given.then(undefined, () => undefined);
    throw new TypeError("renderError gave a promise, which is not waited for: it has to give { headers, body } itself");
  }
  // Each property is read once: what a getter gave first may be something else the next time.
  const { headers = {}, body } = typeof given === "object" && given !== null ? given : ({} as Partial<RenderedError>);
  if (!(typeof body === "string" || body instanceof Uint8Array))
    throw new TypeError("renderError gave no { headers, body } with a text or bytes as its body");
  if (body.length > longestBody) throw new TypeError(`renderError gave a body of more than ${longestBody} bytes`);
  const fields: readonly Field[] = Object.entries(headers ?? {});
  let length = 0;
  for (const [name, value] of fields) {
    validateHeaderName(name);
    for (const one of [value].flat()) {
      validateHeaderValue(name, one);
      length += name.length + one.length;
    }
  }
  if (length > longestHead) throw new TypeError(`renderError gave headers of more than ${longestHead} bytes`);
  return { fields, body };
}

/** Whether a list of names and values, in turn, has a name. */
function hasName(headers: Rendered["headers"], name: string): boolean {
  return headers.some((each, index) => index % 2 === 0 && String(each).toLowerCase() === name.toLowerCase());
}

function framed(refusal: Refusal, { fields, body }: CheckedError, own: readonly string[]): Rendered {
  const bytes = Buffer.from(body as string);
  const kept = fields.filter(([name]) => !framing.test(name));
  const hasOwn = kept.some(([name]) => name.toLowerCase() === "server");
  return {
    headers: [
      ...(hasOwn ? [] : own),
      ...kept.flat(1),
      ...(refusal.retryAfterSeconds === undefined ? [] : ["Retry-After", String(refusal.retryAfterSeconds)]),
      "Content-Length",
      String(bytes.length),
    ],
    body: bytes,
  };
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
    // Fastify warns of each answer to a response that has ended, though the client's fault is the reason here.
    writableEnded: false,
  };
  for (const [name, value] of Object.entries(methods)) Object.defineProperty(response, name, { value, writable: true, configurable: true });
}
