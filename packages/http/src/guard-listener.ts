import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { asError } from "@tsserve/config";
import { isThenable } from "@tsserve/server";
import type { Logger } from "pino";
import { hasClientLeft } from "./client-left.ts";
import { failResponse } from "./fail-response.ts";
import { requestKey, type TrackedMessage } from "./http-request.ts";

/**
 * Calls a request listener that is not ours: what it throws, at once or by a promise that it gives, is its failure to answer
 * this one request, which gets a 500.
 *
 * @param owner whose it is, for the log: `the app`
 */
export function guardListener(handle: RequestListener, owner: string, log: Logger): RequestListener {
  return (request, response) => {
    try {
      const given: unknown = handle(request, response);
      if (!isThenable(given)) return;
      Promise.resolve(given).catch((thrown: unknown) => requestFailed(request, response, owner, thrown, log));
    } catch (thrown) {
      requestFailed(request, response, owner, thrown, log);
    }
  };
}

/** Tells that a request was not answered as it should be, by whose fault, and answers it. */
export function requestFailed(request: IncomingMessage, response: ServerResponse, owner: string, thrown: unknown, log: Logger): void {
  logFailure(request, owner, thrown, log);
  failResponse(response);
}

/** The line of a failure that has its answer elsewhere. That a client has gone is no failure of anybody's here. */
export function logFailure(request: IncomingMessage | undefined, owner: string, thrown: unknown, log: Logger): void {
  const tracked = (request as TrackedMessage | undefined)?.[requestKey];
  const ids = tracked === undefined ? {} : { req_id: tracked.id, trace_id: tracked.trace.traceId, span_id: tracked.trace.spanId };
  const error = asError(thrown);
  const fields = { ...ids, owner, err: error };
  if (hasClientLeft(request, error)) log.debug(fields, "the client left before its answer");
  else log.error(fields, `${owner} failed to answer a request`);
}
