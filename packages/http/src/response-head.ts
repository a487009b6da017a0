import { ServerResponse, type OutgoingHttpHeader, type OutgoingHttpHeaders } from "node:http";
import { makeHeadComposer, type HeadComposer } from "./compose-head.ts";
import { requestKey, type HttpRequest } from "./http-request.ts";

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
  readonly [requestKey]?: HttpRequest;
}

/** What the heads of answers say besides what the app says. */
export interface HeadRules {
  /** Whether the connection ends with this answer. */
  ends(request: HttpRequest): boolean;
  /** `Server`, where the app names none. */
  readonly server: string | undefined;
  /** `Content-Type` of what has a body, where the app names none. */
  readonly contentType: string | undefined;
  /** The header that says which request an answer is for, where the app does not say that itself. */
  readonly requestIdHeader: string | undefined;
}

const { _storeHeader: storeAsItIs } = ServerResponse.prototype as unknown as HeadStore;

/**
 * Sees to it that the head of an answer says of the connection what is true, whatever the app says: `Connection: close`
 * where `ends` tells that the connection ends with this answer, or the app wants that; but as long as a later request of the
 * connection is in progress, only the last one's answer may say it, because nothing comes after it.
 *
 * @returns what is called with a request whose response knows it
 */
export function makeGuardHead(rules: HeadRules): (request: HttpRequest) => void {
  const composer = makeHeadComposer();
  // One function for all responses, rather than a closure for each.
  function storeGuarded(this: GuardedResponse, firstLine: string, headers: Headers): void {
    const request = this[requestKey];
    if (request === undefined) storeAsItIs.call(this, firstLine, headers);
    else storeHeader(this, request, rules, composer, firstLine, headers);
  }
  return (request) => {
    const response = request.response as GuardedResponse | undefined;
    if (response === undefined || request.isHeadGuarded || response.headersSent) return;
    request.isHeadGuarded = true;
    response._storeHeader = storeGuarded;
  };
}

function storeHeader(
  response: GuardedResponse,
  request: HttpRequest,
  rules: HeadRules,
  composer: HeadComposer,
  firstLine: string,
  headers: Headers,
): void {
  const { connection } = request;
  const closes = rules.ends(request) || connection.closeWanted || appSaysClose(response, headers);
  // Interim answers, and a switch of protocols, are no last answers.
  if (response.statusCode < 200) {
    storeAsItIs.call(response, firstLine, headers);
    return;
  }
  const { requestIdHeader } = rules;
  // Behind the first line, as Node puts the others: so it costs next to nothing, and most answers have it.
  const start =
    requestIdHeader === undefined || headerIn(response, headers, requestIdHeader) !== undefined
      ? firstLine
      : `${firstLine}${requestIdHeader}: ${request.id}\r\n`;
  const hasAdditions = rules.server !== undefined || rules.contentType !== undefined;
  if (!closes && !hasAdditions) {
    if (composer.compose(response, start, headers)) return;
    const isSetOneByOne = response.getHeaderNames().length > 0;
    storeAsItIs.call(response, start, headers);
    if (!isSetOneByOne) composer.learn(headers);
    return;
  }
  const more = hasAdditions ? additions(response, headers, rules) : [];
  if (closes) {
    const isLast = connection.latest === request;
    if (isLast) connection.closing = true;
    else connection.closeWanted = true;
    more.push(["Connection", isLast ? "close" : "keep-alive"]);
  }
  storeAsItIs.call(response, start, more.length === 0 ? headers : withHeaders(response, headers, more));
}

/** What Node knows of a body when it composes the head. */
interface BodyKnowledge {
  readonly _hasBody?: boolean;
  readonly _contentLength?: number | null;
}

function additions(response: ServerResponse, headers: Headers, { server, contentType }: HeadRules): [string, string][] {
  const more: [string, string][] = [];
  const names = new Map(entriesOf(response, headers).map(([name, value]) => [name.toLowerCase(), value]));
  if (server !== undefined && !names.has("server")) more.push(["Server", server]);
  const { _hasBody: hasBody, _contentLength: length } = response as BodyKnowledge;
  const isEmpty = hasBody === false || length === 0 || String(names.get("content-length") ?? "") === "0";
  if (contentType !== undefined && !isEmpty && !names.has("content-type")) more.push(["Content-Type", contentType]);
  return more;
}

function appSaysClose(response: ServerResponse, headers: Headers): boolean {
  if (!response.shouldKeepAlive) return true;
  const said = headerIn(response, headers, "Connection");
  return said !== undefined && /(?:^|\W)close(?:$|\W)/i.test(String(said));
}

/** What the app says in a header; asked for with nearly every answer, so that no list is made of the others. */
function headerIn(response: ServerResponse, headers: Headers, name: string): OutgoingHttpHeader | undefined {
  const set = response.getHeader(name);
  if (set !== undefined || headers === undefined || headers === null) return set;
  // Where some were set one by one, Node hands on what it keeps of them, by name: the wanted one is not among those.
  if (!Array.isArray(headers)) {
    const byName = headers as OutgoingHttpHeaders;
    for (const each in byName) if (isName(each, name)) return byName[each];
    return undefined;
  }
  const pairs = entriesOf(response, headers).filter(([each]) => isName(each, name));
  return pairs.length === 0 ? undefined : pairs.map(([, value]) => value).join(", ");
}

/** The length and the first letter, in whichever case, tell most names apart: a name in lower case costs more than all else here. */
function isName(text: string, name: string): boolean {
  if (text.length !== name.length || ((text.charCodeAt(0) ^ name.charCodeAt(0)) & ~caseBit) !== 0) return false;
  return text === name || text.toLowerCase() === name.toLowerCase();
}

/** By which an ASCII letter differs from itself in the other case. */
const caseBit = 0x20;

function withHeaders(response: ServerResponse, headers: Headers, more: readonly (readonly [string, string])[]): Headers {
  const replaced = new Set(more.map(([name]) => name.toLowerCase()));
  if (replaced.has("connection")) replaced.add("keep-alive");
  // Headers that were set one by one are kept by the response: Node compares what it is given with those.
  if (response.getHeaderNames().length > 0) {
    for (const name of replaced) response.removeHeader(name);
    for (const [name, value] of more) response.setHeader(name, value);
    return headers;
  }
  const kept = entriesOf(response, headers).filter(([name]) => !replaced.has(name.toLowerCase()));
  return [...kept, ...more].flat() as OutgoingHttpHeader[];
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
