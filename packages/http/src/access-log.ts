import type { Logger } from "pino";
import { lineSinkOf } from "@tsserve/server";
import { escaped, fileLine, infoLine, recordFields, webServerLine } from "./access-line.ts";
import { bodyBytesOf } from "./body-bytes.ts";
import type { Refusal } from "./check-head.ts";
import type { Connection } from "./connection.ts";
import { isExcluded } from "./exclusion.ts";
import { routeOf, type HttpRequest } from "./http-request.ts";
import { clientOf, peerAddress } from "./client.ts";
import type { LogFile } from "./log-file.ts";
import type { AccessLogSettings } from "./settings.ts";

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

export interface AccessLog {
  /** A line for a request whose answer has ended; health probes at debug level. */
  ended(request: HttpRequest, endedAt: number): void;
  /** A line for what was no request yet, and was answered. */
  rejected(refusal: Refusal, connection: Connection, requestId: string): void;
}

export interface AccessLogOptions {
  readonly log: Logger;
  readonly file: LogFile | undefined;
  readonly settings: AccessLogSettings;
  /** As it is written. */
  readonly bodyLimit: string;
  /** From 0 to 1. */
  readonly random: () => number;
}

export function makeAccessLog(options: AccessLogOptions): AccessLog {
  const { log, file, settings, random } = options;
  const sink = lineSinkOf(log);
  const bindings = JSON.stringify({ ...sink?.base, ...log.bindings() }).slice(1, -1);
  const tell = (record: AccessRecord, message: string, level: "info" | "debug"): void => {
    const isDirect = sink !== undefined && level === "info" && log.isLevelEnabled("info");
    if (!isDirect) log[level](record, message);
    const isInFile = file !== undefined && (level === "info" || log.isLevelEnabled("debug"));
    if (!isDirect && !isInFile) return;
    const nowMs = Date.now();
    const isJson = settings.format === "json";
    const fields = isDirect || isJson ? recordFields(record) : "";
    if (isDirect) sink.write(infoLine(fields, message, nowMs, bindings));
    if (isInFile) file.write(isJson ? fileLine(fields, message, nowMs) : webServerLine(record, settings.format === "combined", nowMs));
  };
  return {
    ended: (request, endedAt) => {
      // Excluded probes are for who looks for them.
      const level = request.isProbe && settings.exclude.some(({ isProbes }) => isProbes) ? "debug" : "info";
      if (level === "debug" ? !log.isLevelEnabled("debug") : isExcluded(request, settings.exclude)) return;
      const isSampled = settings.sample < 1 && isOrdinary(request, endedAt, settings.slowMs);
      if (isSampled && random() >= settings.sample) return;
      const record = recordOf(request, endedAt, options);
      const message =
        record.aborted === true ? "request aborted" : request.refusal === undefined ? "request completed" : "request rejected";
      tell(isSampled ? { ...record, sample_rate: settings.sample } : record, message, level);
    },
    rejected: ({ status, reason, message, setting }, { socket }, requestId) => {
      tell(
        { req_id: requestId, status, reason, error: message, setting, client: peerAddress(socket), tls: tlsVersionOf(socket) },
        "request rejected",
        "info",
      );
    },
  };
}

/** What may be left out where only a share is written: errors, and what was slow, never are. */
function isOrdinary({ status, startedAt, refusal, response }: HttpRequest, endedAt: number, slowMs: number): boolean {
  return (
    refusal === undefined && response?.writableFinished !== false && status !== undefined && status < 400 && endedAt - startedAt < slowMs
  );
}

function recordOf(request: HttpRequest, endedAt: number, { bodyLimit }: AccessLogOptions): AccessRecord {
  const { incoming, response, trace, refusal, status, connection } = request;
  const { headers } = incoming;
  // An answer that has not left to its end means that the client went away, whatever status was about to be sent.
  const aborted = response === undefined ? status === undefined : !response.writableFinished;
  return {
    req_id: request.id,
    trace_id: trace.traceId,
    span_id: trace.spanId,
    method: incoming.method,
    route: printable(routeOf(request)),
    path: printable(request.url.split("?", 1)[0] ?? ""),
    http_version: incoming.httpVersion,
    host: optional(headers.host),
    status,
    bytes: response === undefined ? undefined : bodyBytesOf(response, connection.lastAnswerBytes),
    duration_ms: Math.round((endedAt - request.startedAt) * 1000) / 1000,
    client: clientOf(incoming).address,
    user_agent: optional(headers["user-agent"]),
    referer: pageOf(headers.referer),
    tls: tlsVersionOf(connection.socket),
    upstream_id: optional(request.upstreamId),
    aborted: aborted || undefined,
    ...(refusal === undefined ? undefined : { reason: refusal.reason, error: refusal.message, setting: refusal.setting }),
    // Fastify has its own answer to it, which names no setting.
    ...(refusal === undefined && status === 413 ? { setting: `client_max_size = ${bodyLimit}` } : undefined),
  };
}

/** The page that a request came from, without what its address may carry along: a user's name, a query with a token. */
export function pageOf(referer: string | undefined): string | undefined {
  if (referer === undefined || referer.length > longestReferer || !/^https?:\/\//.test(referer) || !URL.canParse(referer)) return undefined;
  const { origin, pathname } = new URL(referer);
  return optional(`${origin}${pathname}`);
}

const longestReferer = 2048;
const longestHeader = 512;

/** A header of a client's, in a length and in characters that no reader of logs minds. */
function optional(header: string | string[] | undefined): string | undefined {
  return header === undefined ? undefined : withoutControls(String(header).slice(0, longestHeader));
}

/** JSON lets control characters of ISO 8859 pass, which some terminals obey. */
function withoutControls(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, (character) => escaped(character));
}

function tlsVersionOf(socket: object): string | undefined {
  const { encrypted, getProtocol } = socket as { encrypted?: boolean; getProtocol?: () => string | null };
  return encrypted === true ? (getProtocol?.call(socket) ?? undefined) : undefined;
}

/** What clients write in a target reaches terminals: whatever is no visible ASCII is written as in a URL. */
function printable(text: string): string {
  return /[^\x21-\x7e]/.test(text) ? text.replace(/[^\x21-\x7e]/g, (character) => encodeByte(character)) : text;
}

function encodeByte(character: string): string {
  const code = character.charCodeAt(0);
  return code > 0xff ? "?" : `%${code.toString(16).toUpperCase().padStart(2, "0")}`;
}
