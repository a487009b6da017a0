import { traceScope, type Tracing } from "@tsserve/server";
import type { Reader, Writer } from "../codec/codec.ts";
import type { BoundMethod } from "./bound-method.ts";
import type { Outcome } from "./outcome.ts";
import { requestStorage } from "./request-context.ts";
import type { ThriftRequest } from "./thrift-request.ts";

/** Reads the arguments of a request, calls its handler, and gives what that gives. */
export type CallHandler = (request: ThriftRequest, reader: Reader, writer: Writer) => unknown;

/** Calls handlers inside of their requests: `currentRequest()`, and where somebody wants to know, the trace. */
export function makeCallHandler(tracing: Tracing | undefined): CallHandler {
  const scope = traceScope();
  const plain: CallHandler = (request, reader, writer) => requestStorage.run(request, callBound, request.bound, reader, writer, request);
  const scoped: CallHandler = (request, reader, writer) =>
    scope.isWanted
      ? scope.run(
          () => request.trace,
          () => plain(request, reader, writer),
        )
      : plain(request, reader, writer);
  if (tracing === undefined) return scoped;
  return (request, reader, writer) => tracing.run(request.trace, () => scoped(request, reader, writer));
}

/** Not a closure: it is called for every request. */
function callBound(bound: BoundMethod, reader: Reader, writer: Writer, request: ThriftRequest): unknown {
  return bound.call(reader, writer, request);
}

/** Tells of a request that is over, by OpenTelemetry's semantic conventions for RPC servers. Probes are passed over. */
export function traceEnd(tracing: Tracing): (request: ThriftRequest, outcome: Outcome) => void {
  return (request, { success, exceptionType, statusCode }) => {
    const { bound, trace, startedAt, client } = request;
    tracing.leave(trace);
    if (bound.isProbe === true || !tracing.records(trace)) return;
    // What clients make up is no name of a span.
    const name = bound.isUnknown === true ? "unknown" : bound.name;
    const attributes: Record<string, string> = { "rpc.system": "thrift", "rpc.method": name };
    if (client !== undefined) attributes["client.address"] = client;
    if (!success) attributes["error.type"] = exceptionType;
    if (statusCode !== "") attributes["thrift.baseplate_status_code"] = statusCode;
    const agent = request.header("User-Agent");
    if (agent !== undefined) attributes["user_agent.original"] = agent;
    const failure = success ? undefined : `the handler threw ${exceptionType}`;
    tracing.record({ name, kind: "server", trace, startedAt, endedAt: performance.now(), attributes, failure });
  };
}
