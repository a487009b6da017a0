import type { RequestListener } from "node:http";
import type { Tracing } from "@tsserve/server";
import { patternOf, requestKey, type HttpRequest, type TrackedMessage } from "./http-request.ts";

/** Runs the app inside of the trace of its request: its own spans, and what it asks of others, belong to it. */
export function traceHandling(handle: RequestListener, tracing: Tracing): RequestListener {
  return (incoming: TrackedMessage, response) => {
    const request = incoming[requestKey];
    if (request === undefined) handle(incoming, response);
    else tracing.run(request.trace, () => handle(incoming, response));
  };
}

/** Tells of a request that is over, by OpenTelemetry's semantic conventions for HTTP servers. Probes are passed over. */
export function traceEnd(tracing: Tracing): (request: HttpRequest, endedAt: number) => void {
  return (request, endedAt) => {
    const { trace, startedAt, incoming, isProbe } = request;
    tracing.leave(trace);
    if (isProbe || !tracing.records(trace)) return;
    const method = incoming.method ?? "";
    const pattern = patternOf(request);
    const { status } = request;
    const failure = status === undefined ? "the client went away" : status >= 500 ? `the answer was ${status}` : undefined;
    const attributes: Record<string, string | number> = {
      "http.request.method": method,
      "url.path": (incoming.url ?? "").split("?", 1)[0] ?? "",
      "url.scheme": "encrypted" in request.connection.socket ? "https" : "http",
      "network.protocol.version": incoming.httpVersion,
    };
    if (pattern !== undefined) attributes["http.route"] = pattern;
    if (status !== undefined) attributes["http.response.status_code"] = status;
    if (status !== undefined && status >= 500) attributes["error.type"] = String(status);
    const { client } = request.describe();
    if (client !== undefined) attributes["client.address"] = client;
    const agent = incoming.headers["user-agent"];
    if (agent !== undefined) attributes["user_agent.original"] = agent;
    const name = pattern === undefined ? method : `${method} ${pattern}`;
    tracing.record({ name, kind: "server", trace, startedAt, endedAt, attributes, failure });
  };
}
