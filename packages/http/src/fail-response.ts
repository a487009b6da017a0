import { STATUS_CODES, type ServerResponse } from "node:http";

const body = JSON.stringify({ statusCode: 500, error: "Internal Server Error" });

/**
 * Answers for an app that failed to: a 500, or where its own answer has begun already, an end that no client takes for a whole one.
 * Never throws: an app may have made its response one that can't be answered.
 */
export function failResponse(response: ServerResponse): void {
  try {
    if (response.writableEnded) return;
    if (response.headersSent) {
      response.destroy();
      return;
    }
    for (const name of response.getHeaderNames()) if (name !== "connection") response.removeHeader(name);
    const headers = { "Content-Type": "application/json; charset=utf-8", "Content-Length": Buffer.byteLength(body) };
    // With its reason phrase: the app's own may be what was wrong.
    response.writeHead(500, STATUS_CODES[500] ?? "", headers);
    response.end(body);
  } catch {
    response.socket?.destroy();
  }
}
