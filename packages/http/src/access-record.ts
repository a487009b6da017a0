import type { IncomingMessage } from "node:http";
import { escaped } from "./access-line.ts";
import { bodyBytesOf } from "./body-bytes.ts";
import { addressOf } from "./client.ts";
import { routeOf, type HttpRequest } from "./http-request.ts";
import { rawHeadersOf } from "./raw-headers.ts";

/** What a line of the access log says; what is not known is left out. */
export interface AccessRecord {
  readonly req_id?: string | undefined;
  readonly trace_id?: string | undefined;
  readonly span_id?: string | undefined;
  readonly method?: string | undefined;
  readonly route?: string | undefined;
  readonly path?: string | undefined;
  readonly http_version?: string | undefined;
  readonly host?: string | undefined;
  readonly status?: number | undefined;
  /** Of the body of the answer. */
  readonly bytes?: number | undefined;
  readonly duration_ms?: number | undefined;
  readonly client?: string | undefined;
  readonly user_agent?: string | undefined;
  readonly referer?: string | undefined;
  /** The version, where the connection is secure. */
  readonly tls?: string | undefined;
  /** What a proxy in front calls the request. */
  readonly upstream_id?: string | undefined;
  readonly aborted?: boolean | undefined;
  readonly reason?: string | undefined;
  readonly error?: string | undefined;
  readonly setting?: string | undefined;
  /** Where only a share of the lines is written. */
  readonly sample_rate?: number | undefined;
}

/**
 * @param bodyLimit as it is written
 */
export function recordOf(request: HttpRequest, endedAt: number, bodyLimit: string): AccessRecord {
  const { incoming, response, trace, refusal, status, connection } = request;
  const { host, agent, referer } = toldHeaders(incoming);
  return {
    req_id: request.id,
    trace_id: trace.traceId,
    span_id: trace.spanId,
    method: incoming.method,
    route: printable(routeOf(request)),
    path: printable(pathOf(request.url)),
    http_version: incoming.httpVersion,
    host: headerText(host),
    status,
    bytes: response === undefined ? undefined : bodyBytesOf(response, connection.lastAnswerBytes),
    duration_ms: Math.round((endedAt - request.startedAt) * 1000) / 1000,
    client: addressOf(incoming),
    user_agent: headerText(agent),
    referer: pageOf(referer),
    tls: tlsVersionOf(connection.socket),
    upstream_id: headerText(request.upstreamId),
    aborted: isAborted(request) || undefined,
    ...(refusal === undefined ? undefined : { reason: refusal.reason, error: refusal.message, setting: refusal.setting }),
    // Fastify has its own answer to it, which names no setting.
    ...(refusal === undefined && status === 413 ? { setting: `client_max_size = ${bodyLimit}` } : undefined),
  };
}

/** An answer that has not left to its end means that the client went away, whatever status was about to be sent. */
export function isAborted({ response, status }: HttpRequest): boolean {
  return response === undefined ? status === undefined : !response.writableFinished;
}

/** A target without its query. */
export function pathOf(url: string): string {
  const end = url.indexOf("?");
  return end === -1 ? url : url.slice(0, end);
}

/** What lines tell of the headers of a request. */
export interface ToldHeaders {
  readonly host: string | undefined;
  readonly agent: string | undefined;
  readonly referer: string | undefined;
}

/**
 * Of several lines of one name the first counts, as in `headers`; which is left alone: Node makes it when it is asked for, and many a
 * request is answered without it.
 */
export function toldHeaders(incoming: IncomingMessage): ToldHeaders {
  if (incoming.httpVersionMajor > 1) {
    const { host, "user-agent": agent, referer } = incoming.headers;
    return { host, agent, referer };
  }
  const rawHeaders = rawHeadersOf(incoming);
  let host: string | undefined;
  let agent: string | undefined;
  let referer: string | undefined;
  for (let n = 0; n < rawHeaders.length; n += 2) {
    const name = rawHeaders[n] as string;
    const { length } = name;
    if (length === 4) {
      if (host === undefined && (name === "Host" || name.toLowerCase() === "host")) host = rawHeaders[n + 1];
    } else if (length === 10) {
      if (agent === undefined && (name === "User-Agent" || name.toLowerCase() === "user-agent")) agent = rawHeaders[n + 1];
    } else if (length === 7) {
      if (referer === undefined && (name === "Referer" || name.toLowerCase() === "referer")) referer = rawHeaders[n + 1];
    }
  }
  return { host, agent, referer };
}

/** The page that a request came from, without what its address may carry along: a user's name, a query with a token. */
export function pageOf(referer: string | undefined): string | undefined {
  if (referer === undefined || referer.length > longestReferer || !/^https?:\/\//.test(referer) || !URL.canParse(referer)) return undefined;
  const { origin, pathname } = new URL(referer);
  return headerText(`${origin}${pathname}`);
}

const longestReferer = 2048;
const longestHeader = 512;

/** A header of a client's, in a length and in characters that no reader of logs minds. */
export function headerText(header: string | string[] | undefined): string | undefined {
  return header === undefined ? undefined : withoutControls(String(header).slice(0, longestHeader));
}

/** JSON lets control characters of ISO 8859 pass, which some terminals obey. */
function withoutControls(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, (character) => escaped(character));
}

export function tlsVersionOf(socket: object): string | undefined {
  const { encrypted, getProtocol } = socket as { encrypted?: boolean; getProtocol?: () => string | null };
  return encrypted === true ? (getProtocol?.call(socket) ?? undefined) : undefined;
}

/** What clients write in a target reaches terminals: whatever is no visible ASCII is written as in a URL. */
export function printable(text: string): string {
  return /[^\x21-\x7e]/.test(text) ? text.replace(/[^\x21-\x7e]/g, (character) => encodeByte(character)) : text;
}

function encodeByte(character: string): string {
  const code = character.charCodeAt(0);
  return code > 0xff ? "?" : `%${code.toString(16).toUpperCase().padStart(2, "0")}`;
}
