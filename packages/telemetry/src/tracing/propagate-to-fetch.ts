import { channel } from "node:diagnostics_channel";

/** What undici, and so Node's `fetch`, publishes when a request is made: `undici:request:create` of its documentation. */
interface UndiciRequest {
  readonly headers?: unknown;
  addHeader?(name: string, value: string): void;
}

/**
 * Passes the context on to whomever is asked with `fetch`, unless the app does so itself.
 *
 * @param traceparent what to send now; `undefined` outside of requests
 * @returns ends it
 */
export function propagateToFetch(traceparent: () => string | undefined): () => void {
  const created = channel("undici:request:create");
  const onCreated = (message: unknown): void => {
    const { request } = message as { request?: UndiciRequest };
    if (typeof request?.addHeader !== "function" || hasTraceparent(request.headers)) return;
    const value = traceparent();
    if (value !== undefined) request.addHeader("traceparent", value);
  };
  created.subscribe(onCreated);
  return () => {
    created.unsubscribe(onCreated);
  };
}

/** Headers are one text, or a list of names and values, by undici's version. */
function hasTraceparent(headers: unknown): boolean {
  if (typeof headers === "string") return /(?:^|\r\n)traceparent:/i.test(headers);
  return Array.isArray(headers) && headers.some((each) => typeof each === "string" && each.toLowerCase() === "traceparent");
}
