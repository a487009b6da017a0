import {
  constants,
  Http2ServerRequest,
  Http2ServerResponse,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
  type ServerStreamResponseOptions,
} from "node:http2";
import { validateHeaderValue, type OutgoingHttpHeader, type OutgoingHttpHeaders } from "node:http";
import { destroyWhenSent, isCutShort } from "./close-stream.ts";
import { putOffTimeouts, tellAgain, tellNobody, tellNobodyAnyMore } from "./stream-listeners.ts";
import { endUnreadRequest, endUnreadStream } from "./unread-stream.ts";

/** Headers in each form in which HTTP/1's `writeHead` takes them. */
type Headers = OutgoingHttpHeaders | readonly OutgoingHttpHeader[] | readonly (readonly [string, OutgoingHttpHeader])[];
type Callback = (error?: Error | null) => void;

/** What answers say where the app does not. */
export interface HeadDefaults {
  readonly server: string | undefined;
  readonly contentType: string | undefined;
  /** The header that says which request an answer is for. */
  readonly requestIdHeader: string | undefined;
}

/** Headers of the connection, which HTTP/2 has otherwise (RFC 9113, section 8.2.2): Node throws for them, or warns. */
const ofConnection: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
]);
const withoutBody: ReadonlySet<number> = new Set([204, 205, 304]);

/**
 * A request of HTTP/2 as HTTP/1's is: one whose client went away before the body's end fails, where Node's own would end as if all
 * had come, and what has not come is not `complete`.
 */
export class StreamRequest extends Http2ServerRequest {
  /** Whether the server gave up waiting for the rest of the body. */
  isGivenUp = false;
  /** Called when the stream ended before its answer did: by the client's will, or ours. Not a listener: an app may take all of these off. */
  whenTakenBack: ((this: StreamRequest) => void) | undefined = undefined;
  private isWhole: boolean;

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, options: object | undefined, rawHeaders: readonly string[]) {
    const told = tellNobody(stream);
    // Node tells the close itself, when the stream has closed.
    super(stream, headers, options === undefined ? withoutClose : { ...options, emitClose: false }, rawHeaders);
    tellAgain(stream, told);
    this.isWhole = stream.endAfterHeaders;
  }

  override push(chunk: unknown, encoding?: BufferEncoding): boolean {
    if (chunk !== null) return super.push(chunk, encoding);
    if (this.isWhole) return !endUnreadRequest(this) && super.push(null);
    const { stream } = this;
    const isCut = this.isGivenUp || this.aborted || isCutShort(stream) || (stream.rstCode ?? 0) !== constants.NGHTTP2_NO_ERROR;
    if (isCut) {
      this.destroy(Object.assign(new Error("aborted"), { code: "ECONNRESET" }));
      return false;
    }
    this.isWhole = true;
    return super.push(null);
  }

  override emit(event: string | symbol, ...values: unknown[]): boolean {
    if (event === "aborted") this.whenTakenBack?.();
    return super.emit(event, ...values);
  }

  /** As of HTTP/1: nobody has to listen. */
  override _destroy(error: Error | null, done: Callback): void {
    if (!this.isWhole && !this.stream.closed) {
      this.isGivenUp = true;
      this.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    }
    done(this.listenerCount("error") === 0 ? null : error);
  }
}

const withoutClose = { emitClose: false };
const distinctKey: unique symbol = Symbol("tsserve.distinct");
const nodesRawHeaders = Object.getOwnPropertyDescriptor(Http2ServerRequest.prototype, "rawHeaders")?.get as (this: object) => string[];

interface StreamRequestParts {
  readonly isWhole: boolean;
  readonly rawHeaders: readonly string[];
  [distinctKey]?: Record<string, string[]>;
}

Object.defineProperties(StreamRequest.prototype, {
  // Node declares it as a property, and has it as a getter that tells of an aborted body that it is complete.
  complete: {
    get(this: StreamRequestParts): boolean {
      return this.isWhole;
    },
  },
  // As of HTTP/1, they may be replaced.
  rawHeaders: {
    get: nodesRawHeaders,
    set(this: object, headers: readonly string[]): void {
      const kept = nodesRawHeaders.call(this);
      kept.splice(0, kept.length, ...headers);
    },
  },
  headersDistinct: {
    get(this: StreamRequestParts): Record<string, string[]> {
      return (this[distinctKey] ??= distinctOf(this.rawHeaders));
    },
  },
});

function distinctOf(rawHeaders: readonly string[]): Record<string, string[]> {
  const distinct = Object.create(null) as Record<string, string[]>;
  for (let n = 0; n + 1 < rawHeaders.length; n += 2) {
    const [name = "", value = ""] = [rawHeaders[n], rawHeaders[n + 1]];
    if (!name.startsWith(":")) (distinct[name.toLowerCase()] ??= []).push(value);
  }
  return distinct;
}

/**
 * An answer over HTTP/2 that takes all that HTTP/1's takes: what only HTTP/1 knows is left out without a warning, what comes when
 * the client has gone goes nowhere without an error (github.com/nodejs/node/issues/57416), and what is cut does not look whole
 * (github.com/nodejs/node/issues/16798).
 */
export class StreamResponse extends Http2ServerResponse {
  defaults: HeadDefaults | undefined = undefined;
  /** The request, as the server tracks it. */
  tracked: { readonly id: string } | undefined = undefined;
  /** Of the body, as far as the app has written it. */
  sentBodyBytes = 0;
  /** Whether the app has cut the answer short. */
  isCut = false;
  /** Called when the stream has closed, before whoever listens. Not a listener, as of the request. */
  whenClosed: ((this: StreamResponse) => void) | undefined = undefined;
  /** Whether the app has given trailers. */
  hasTrailers = false;
  /** Whether the app has ended the answer, and whether its last word was a part of the body. */
  private isEnding = false;
  private hasBody = false;

  constructor(stream: ServerHttp2Stream, options?: object) {
    const told = tellNobody(stream);
    super(...([stream, options] as unknown as [ServerHttp2Stream]));
    putOffTimeouts(stream);
    destroyWhenSent(stream);
    tellAgain(stream, told);
  }

  override emit(event: string | symbol, ...values: unknown[]): boolean {
    if (event === "close") this.whenClosed?.();
    return super.emit(event, ...values);
  }

  override setHeader(name: string, value: number | string | readonly string[]): this {
    if (!ofConnection.has(name.trim().toLowerCase())) super.setHeader(name, fieldValue(name, value) as typeof value);
    return this;
  }

  override appendHeader(name: string, value: string | string[]): this {
    if (!ofConnection.has(name.trim().toLowerCase())) super.appendHeader(name, fieldValue(name, value) as typeof value);
    return this;
  }

  setHeaders(headers: Iterable<readonly [string, string | string[]]>): this {
    for (const [name, value] of headers) this.setHeader(name, value);
    return this;
  }

  override writeHead(status: number, ...rest: readonly unknown[]): this {
    if (this.hasGone) return this;
    const { stream } = this;
    // Node's own says what is wrong with it.
    if (stream.headersSent) return super.writeHead(status);
    const given = headersOf(rest.find((each) => typeof each === "object" && each !== null) as Headers | undefined);
    this.#addDefaults(status, given);
    this.statusCode = status;
    // As in HTTP/1, headers that come with the head alone are not kept: that would copy them twice.
    const headers = this.getHeaderNames().length === 0 && areSimple(given) ? given : this.#withThose(given);
    // To wait for trailers costs an answer a fifth more, and a frame of its own: as in HTTP/1, where the length is known there are none.
    const waitForTrailers = this.hasTrailers || (!this.isEnding && !("content-length" in headers)) || "trailer" in headers;
    const endStream = this.isEnding && !this.hasBody && !this.hasTrailers;
    headers[":status"] = status;
    stream.respond(headers, { endStream, waitForTrailers, sendDate: this.sendDate } as ServerStreamResponseOptions);
    return this;
  }

  override write(chunk: string | Uint8Array, ...rest: readonly unknown[]): boolean {
    if (this.isForHead || withoutBody.has(this.statusCode)) {
      if (!this.headersSent) this.writeHead(this.statusCode);
      const callback = rest.find((each) => typeof each === "function");
      if (callback !== undefined) process.nextTick(callback as Callback);
      return true;
    }
    this.sentBodyBytes += typeof chunk === "string" ? Buffer.byteLength(chunk, encodingOf(rest)) : chunk.length;
    return (super.write as (...values: readonly unknown[]) => boolean).call(this, chunk, ...rest);
  }

  override end(...given: unknown[]): this {
    const [chunk] = given;
    const last = given.at(-1);
    // Node's own waits for the stream to have written, which it is not told of where the stream closes first.
    if (typeof last === "function" && !this.writableEnded && !this.hasGone) this.once("finish", given.pop() as () => void);
    this.isEnding = true;
    this.hasBody = chunk !== undefined && chunk !== null && typeof chunk !== "function";
    (super.end as (...values: readonly unknown[]) => this).apply(this, given);
    const { stream } = this;
    tellNobodyAnyMore(stream);
    endUnreadStream(stream);
    return this;
  }

  override writeContinue(): boolean {
    return !this.hasGone && (super.writeContinue() as unknown) !== false;
  }

  writeProcessing(callback?: Callback): void {
    if (!this.hasGone && !this.headersSent) this.stream.additionalHeaders({ ":status": 102 });
    callback?.();
  }

  override writeEarlyHints(hints: Record<string, string | string[]>, callback?: Callback): boolean {
    const fitting = Object.fromEntries(Object.entries(hints).map(([name, value]) => [name, fieldValue(name, value) as typeof value]));
    const isSent = !this.hasGone && (super.writeEarlyHints(fitting) as unknown) !== false;
    callback?.();
    return isSent;
  }

  /** What has not left is lost, and the client is told so. */
  override destroy(error?: Error): this {
    const { stream } = this;
    if (!stream.closed && !stream.writableFinished) {
      this.isCut = true;
      stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    } else (super.destroy as (error?: Error) => void).call(this, error);
    return this;
  }

  private get isForHead(): boolean {
    return (this.stream as { readonly headRequest?: boolean }).headRequest === true;
  }

  private get hasGone(): boolean {
    return this.stream.destroyed || this.stream.closed;
  }

  /** All that were set, and these. Node's own says what is wrong with one. */
  #withThose(given: OutgoingHttpHeaders): OutgoingHttpHeaders {
    for (const name of Object.keys(given)) super.setHeader(name, given[name] as OutgoingHttpHeader);
    return this.getHeaders();
  }

  #addDefaults(status: number, given: OutgoingHttpHeaders): void {
    if (this.defaults === undefined || this.headersSent) return;
    const { server, contentType, requestIdHeader } = this.defaults;
    const has = (name: string): boolean => given[name] !== undefined || this.hasHeader(name);
    const id = this.tracked?.id;
    if (requestIdHeader !== undefined && id !== undefined && !has(requestIdHeader.toLowerCase())) given[requestIdHeader.toLowerCase()] = id;
    if (server !== undefined && !has("server")) given["server"] = server;
    if (contentType === undefined || this.isForHead || withoutBody.has(status) || has("content-type")) return;
    const length = given["content-length"] ?? this.getHeader("content-length");
    if (String(length ?? "") !== "0" && !(this.isEnding && !this.hasBody)) given["content-type"] = contentType;
  }
}

type SetTrailer = (this: StreamResponse, name: string, value: string) => void;
const { setTrailer } = Http2ServerResponse.prototype as unknown as { readonly setTrailer: SetTrailer };

Object.defineProperties(StreamResponse.prototype, {
  // Node's `addTrailers` calls it for each; its types do not have it.
  setTrailer: {
    value: function (this: StreamResponse, name: string, value: string): void {
      setTrailer.call(this, name, fieldValue(name, value) as string);
      this.hasTrailers = true;
    },
  },
  // There are no reason phrases in HTTP/2; Node's own setter warns of each.
  statusMessage: { get: () => "", set: ignore },
  // A stream that is reset counts as finished for Node, whether or not anything was answered.
  writableFinished: {
    get(this: { readonly stream: ServerHttp2Stream }): boolean {
      return this.stream.writableFinished && !this.stream.aborted;
    },
  },
});

function ignore(): void {}

/** Controls, and blanks at either end (RFC 9113, section 8.2.1): a client may reset the stream for them, and would have no answer. */
const unfitting = /[^\t\P{Cc}]|^[\t ]|[\t ]$/u;

/** A value as it may be sent. Node's HTTP/2 sends what it is given. @throws {TypeError} for controls, the error of HTTP/1 */
function fieldValue(name: string, value: OutgoingHttpHeader | readonly string[]): OutgoingHttpHeader {
  if (typeof value === "string") {
    if (!unfitting.test(value)) return value;
    const trimmed = value.replaceAll(/^[\t ]+|[\t ]+$/g, "");
    if (unfitting.test(trimmed)) validateHeaderValue(name, trimmed);
    return trimmed;
  }
  return Array.isArray(value)
    ? value.map((each) => (typeof each === "string" ? (fieldValue(name, each) as string) : each))
    : (value as number);
}

function encodingOf(rest: readonly unknown[]): BufferEncoding | undefined {
  const [encoding] = rest;
  return typeof encoding === "string" ? (encoding as BufferEncoding) : undefined;
}

/** Whether there is nothing in them that Node would refuse, or change: any other way, its own `setHeader` looks at each. */
function areSimple(headers: OutgoingHttpHeaders): boolean {
  for (const name in headers) {
    const value = headers[name];
    if ((typeof value !== "string" && typeof value !== "number") || !token.test(name)) return false;
  }
  return true;
}

/** What a name of a header is (RFC 9110, section 5.6.2). */
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** As an object by names in lower case, without those of the connection; a name that comes twice in a list has both values. */
function headersOf(headers: Headers | undefined): OutgoingHttpHeaders {
  const kept: OutgoingHttpHeaders = {};
  if (headers === undefined) return kept;
  if (!Array.isArray(headers)) {
    const byName = headers as OutgoingHttpHeaders;
    for (const name of Object.keys(byName)) {
      const lower = name.toLowerCase();
      const value = byName[name];
      if (!ofConnection.has(lower) && value !== undefined) kept[lower] = fieldValue(name, value);
    }
    return kept;
  }
  const isPairs = Array.isArray(headers[0]);
  const pairs = isPairs
    ? (headers as readonly (readonly [string, OutgoingHttpHeader])[])
    : inPairs(headers as readonly OutgoingHttpHeader[]);
  for (const [name, value] of pairs) {
    const lower = name.toLowerCase();
    if (ofConnection.has(lower)) continue;
    const earlier = kept[lower];
    const fitting = fieldValue(name, value);
    kept[lower] = earlier === undefined ? fitting : [...[earlier].flat(), ...[fitting].flat()].map(String);
  }
  return kept;
}

function* inPairs(flat: readonly OutgoingHttpHeader[]): Iterable<readonly [string, OutgoingHttpHeader]> {
  for (let n = 0; n + 1 < flat.length; n += 2) yield [String(flat[n]), flat[n + 1] as OutgoingHttpHeader];
}
