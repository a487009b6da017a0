import { ServerResponse, type OutgoingHttpHeader, type OutgoingHttpHeaders } from "node:http";
import type { HttpRequest } from "./http-request.ts";

/** Headers in each form in which Node takes them: an object, a flat list, or a list of pairs. */
type Headers = OutgoingHttpHeaders | readonly OutgoingHttpHeader[] | readonly (readonly [string, OutgoingHttpHeader])[] | undefined;

/**
 * The one place in Node where the head of an answer is composed, whichever way the app gave it:
 * `_storeHeader` in github.com/nodejs/node/blob/main/lib/_http_outgoing.js. It is older than its underscore; what stands
 * before it (`writeHead`, `setHeader`) is replaced by many a middleware, and knows half of the headers each.
 */
interface HeadStore {
  _storeHeader(firstLine: string, headers: Headers): void;
}

interface GuardedResponse extends ServerResponse, HeadStore {
  [headKey]?: Guarded;
}

interface Guarded {
  readonly request: HttpRequest;
  readonly ends: (request: HttpRequest) => boolean;
}

const headKey = Symbol("tsserve.head");
const { _storeHeader: storeAsItIs } = ServerResponse.prototype as unknown as HeadStore;

/**
 * Sees to it that the head of an answer says of the connection what is true, whatever the app says: `Connection: close`
 * where `ends` tells that the connection ends with this answer, or the app wants that; but as long as a later request of the
 * connection is in progress, only the last one's answer may say it, because nothing comes after it.
 */
export function guardHead(request: HttpRequest, ends: (request: HttpRequest) => boolean): void {
  const response = request.response as GuardedResponse | undefined;
  if (response === undefined || response.headersSent || response[headKey] !== undefined) return;
  response[headKey] = { request, ends };
  response._storeHeader = storeHeader;
}

function storeHeader(this: GuardedResponse, firstLine: string, headers: Headers): void {
  const { request, ends } = this[headKey] as Guarded;
  const { connection } = request;
  // Interim answers, and a switch of protocols, are no last answers.
  const isFinal = this.statusCode >= 200;
  const closes = isFinal && (ends(request) || connection.closeWanted || appSaysClose(this, headers));
  if (!closes) {
    storeAsItIs.call(this, firstLine, headers);
    return;
  }
  const isLast = connection.latest === request;
  if (isLast) connection.closing = true;
  else connection.closeWanted = true;
  storeAsItIs.call(this, firstLine, withConnection(this, headers, isLast ? "close" : "keep-alive"));
}

function appSaysClose(response: ServerResponse, headers: Headers): boolean {
  if (!response.shouldKeepAlive) return true;
  for (const [name, value] of entriesOf(response, headers)) {
    if (name.toLowerCase() === "connection" && /(?:^|\W)close(?:$|\W)/i.test(String(value))) return true;
  }
  return false;
}

function withConnection(response: ServerResponse, headers: Headers, value: string): Headers {
  // Headers that were set one by one are kept by the response: Node compares what it is given with those.
  if (response.getHeaderNames().length > 0) {
    response.removeHeader("keep-alive");
    response.setHeader("Connection", value);
    return headers;
  }
  const kept = entriesOf(response, headers).filter(([name]) => !/^(?:connection|keep-alive)$/i.test(name));
  return [...kept, ["Connection", value] as const].flat() as OutgoingHttpHeader[];
}

function entriesOf(response: ServerResponse, headers: Headers): (readonly [string, OutgoingHttpHeader])[] {
  const names = response.getHeaderNames();
  if (names.length > 0) return names.map((name) => [name, response.getHeader(name) ?? ""] as const);
  if (headers === undefined || headers === null) return [];
  if (!Array.isArray(headers))
    return Object.entries(headers as OutgoingHttpHeaders).map(([name, value]) => [name, value as OutgoingHttpHeader]);
  if (Array.isArray(headers[0])) return headers as (readonly [string, OutgoingHttpHeader])[];
  const pairs: (readonly [string, OutgoingHttpHeader])[] = [];
  for (let n = 0; n + 1 < headers.length; n += 2) pairs.push([String(headers[n]), headers[n + 1] as OutgoingHttpHeader]);
  return pairs;
}
