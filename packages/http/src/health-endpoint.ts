import type { RequestListener, ServerResponse } from "node:http";
import { parseProbe, type Health, type Probe } from "@tsserve/server";
import type { Logger } from "pino";
import { requestKey, type TrackedMessage } from "./http-request.ts";

const path = "/health";

/** Answers `GET /health?type=PROBE` before the app is asked. */
export function answerHealth(handle: RequestListener, health: Health, log: Logger): RequestListener {
  return (request, response) => {
    const url = request.url ?? "";
    const isHealth = url.startsWith(path) && (url.length === path.length || url[path.length] === "?");
    if (!isHealth || (request.method !== "GET" && request.method !== "HEAD")) {
      handle(request, response);
      return;
    }
    const tracked = (request as TrackedMessage)[requestKey];
    if (tracked !== undefined) {
      tracked.isProbe = true;
      tracked.route = path;
    }
    void health.answer(probeOf(url, log)).then((status) => send(response, status === "ok" ? 200 : 503, { status }));
  };
}

/** Readiness unless asked otherwise; as in baseplate, an unknown name is taken for readiness, the strictest. */
function probeOf(url: string, log: Logger): Probe {
  const written = new URLSearchParams(url.slice(path.length)).get("type");
  if (written === null) return "readiness";
  const probe = parseProbe(written);
  if (probe === undefined) log.warn({ type: written.slice(0, 64) }, "unknown health probe, taken for readiness");
  return probe ?? "readiness";
}

function send(response: ServerResponse, statusCode: number, body: object): void {
  const text = JSON.stringify(body);
  response.writeHead(statusCode, {
    "Content-Type": "application/json; charset=utf-8",
    "Content-Length": Buffer.byteLength(text),
    "Cache-Control": "no-store",
  });
  response.end(text);
}
