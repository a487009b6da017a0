import type { ServerResponse } from "node:http";

const body = JSON.stringify({ statusCode: 500, error: "Internal Server Error" });

/** Answers for an app that failed to: a 500, or where its own answer has begun already, an end that no client takes for a whole one. */
export function failResponse(response: ServerResponse): void {
  if (response.writableEnded) return;
  if (response.headersSent) {
    response.destroy();
    return;
  }
  for (const name of response.getHeaderNames()) if (name !== "connection") response.removeHeader(name);
  response.writeHead(500, { "Content-Type": "application/json; charset=utf-8", "Content-Length": Buffer.byteLength(body) });
  response.end(body);
}
