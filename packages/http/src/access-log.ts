import type { Logger } from "pino";
import { lineSinkOf, type LineSink } from "@tsserve/server";
import { completed, fileLine, infoLine, recordFields, webServerLine, type Clean } from "./access-line.ts";
import { isAborted, recordOf, tlsVersionOf, type AccessRecord } from "./access-record.ts";
import type { Refusal } from "./refusal.ts";
import type { Connection } from "./connection.ts";
import { isExcluded } from "./exclusion.ts";
import type { HttpRequest } from "./http-request.ts";
import { peerAddress } from "./client.ts";
import type { LogFile } from "./log-file.ts";
import { RequestLine, type Cleaner } from "./request-line.ts";
import type { AccessLogSettings } from "./settings.ts";

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

export function makeAccessLog({ log, file, settings, bodyLimit, random }: AccessLogOptions): AccessLog {
  const sink = lineSinkOf(log);
  const clean: Clean = sink === undefined ? (part) => part : (part) => sink.clean(part);
  const bindings = JSON.stringify({ ...sink?.base, ...log.bindings() }).slice(1, -1);
  const line = new RequestLine(bodyLimit, sink ?? cleansNothing);
  const isJson = settings.format === "json";
  const isCombined = settings.format === "combined";
  const excludesProbes = settings.exclude.some(({ isProbes }) => isProbes);
  const excluded = settings.exclude.filter(({ isProbes }) => !isProbes);

  /** As the log and the file have it, from fields that are clean. */
  const write = (sinkOfLine: LineSink | undefined, fields: string, message: string, nowMs: number): void => {
    sinkOfLine?.writeClean(infoLine(fields, message, nowMs, bindings));
    if (isJson) file?.write(fileLine(fields, message, nowMs));
  };
  const tell = (record: AccessRecord, message: string, level: "info" | "debug"): void => {
    const isDirect = sink !== undefined && level === "info" && log.isLevelEnabled("info");
    if (!isDirect) log[level](record, message);
    if (level === "debug" && !log.isLevelEnabled("debug")) return;
    const nowMs = Date.now();
    write(isDirect ? sink : undefined, isDirect || isJson ? clean(recordFields(record)) : "", message, nowMs);
    if (!isJson) file?.write(clean(webServerLine(record, isCombined, nowMs)));
  };
  return {
    ended: (request, endedAt) => {
      // Excluded probes are for who looks for them.
      const level = excludesProbes && request.isProbe ? "debug" : "info";
      if (level === "debug" ? !log.isLevelEnabled("debug") : isExcluded(request, excluded)) return;
      const isSampled = settings.sample < 1 && isOrdinary(request, endedAt, settings.slowMs);
      if (isSampled && random() >= settings.sample) return;
      const isTold = log.isLevelEnabled("info");
      if (level === "info" && !isTold && file === undefined) return;
      if (level === "info" && (isTold ? sink !== undefined : file !== undefined) && (isJson || file === undefined)) {
        const fields = line.fieldsOf(request, endedAt);
        const sampled = isSampled ? `${fields},"sample_rate":${settings.sample}` : fields;
        write(isTold ? sink : undefined, sampled, messageOf(request), Date.now());
        return;
      }
      const record = recordOf(request, endedAt, bodyLimit);
      tell(isSampled ? { ...record, sample_rate: settings.sample } : record, messageOf(request), level);
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

/** Where lines go through the logger, which cleans them whole. */
const cleansNothing: Cleaner = { revision: 0, clean: (part) => part, mayMask: () => false };

function messageOf(request: HttpRequest): string {
  if (isAborted(request)) return "request aborted";
  return request.refusal === undefined ? completed : "request rejected";
}

/** What may be left out where only a share is written: errors, and what was slow, never are. */
function isOrdinary({ status, startedAt, refusal, response }: HttpRequest, endedAt: number, slowMs: number): boolean {
  return (
    refusal === undefined && response?.writableFinished !== false && status !== undefined && status < 400 && endedAt - startedAt < slowMs
  );
}
