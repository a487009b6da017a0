import type { Logger } from "pino";
import type { Refusal } from "./check-head.ts";
import type { Connection } from "./connection.ts";
import { routeOf, type HttpRequest } from "./http-request.ts";
import { clientOf, peerAddress } from "./client.ts";

export interface AccessLog {
  /** A line for a request whose answer has ended; health probes at debug level. */
  ended(request: HttpRequest, endedAt: number): void;
  /** A line for what was no request yet, and was answered. */
  rejected(refusal: Refusal, connection: Connection): void;
}

export function makeAccessLog(log: Logger, bodyLimit: string): AccessLog {
  return {
    ended: (request, endedAt) => {
      if (request.isProbe && !log.isLevelEnabled("debug")) return;
      const { incoming, response, trace, refusal, status } = request;
      // An answer that has not left to its end means that the client went away, whatever status was about to be sent.
      const aborted = response === undefined ? status === undefined : !response.writableFinished;
      log[request.isProbe ? "debug" : "info"](
        {
          req_id: request.id,
          trace_id: trace.traceId,
          span_id: trace.spanId,
          method: incoming.method,
          route: printable(routeOf(request)),
          path: printable(request.url.split("?", 1)[0] ?? ""),
          status,
          duration_ms: Math.round((endedAt - request.startedAt) * 1000) / 1000,
          client: clientOf(incoming).address,
          aborted: aborted || undefined,
          ...(refusal === undefined ? undefined : { reason: refusal.reason, error: refusal.message, setting: refusal.setting }),
          // Fastify has its own answer to it, which names no setting.
          ...(refusal === undefined && status === 413 ? { setting: `client_max_size = ${bodyLimit}` } : undefined),
        },
        aborted ? "request aborted" : refusal === undefined ? "request completed" : "request rejected",
      );
    },
    rejected: ({ status, reason, message, setting }, { socket }) => {
      log.info({ status, reason, error: message, setting, client: peerAddress(socket) }, "request rejected");
    },
  };
}

/** What clients write in a target reaches terminals: whatever is no visible ASCII is written as in a URL. */
function printable(text: string): string {
  return /[^\x21-\x7e]/.test(text) ? text.replace(/[^\x21-\x7e]/g, (character) => encodeByte(character)) : text;
}

function encodeByte(character: string): string {
  const code = character.charCodeAt(0);
  return code > 0xff ? "?" : `%${code.toString(16).toUpperCase().padStart(2, "0")}`;
}
