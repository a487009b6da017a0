import type { HttpRequest } from "./http-request.ts";
import { isRequestId } from "./is-request-id.ts";
import { takeRawHeaders } from "./raw-headers.ts";

/**
 * Where an app learns the id of a request: from the headers, which then always have it; from its framework, which asks us for it; or it
 * takes what clients say, because it has told its framework to.
 */
export type IdReading = "headers" | "framework" | "clients";

export interface RequestIdOptions {
  /** The header that carries the id, as it is written: `X-Request-Id`. */
  readonly header: string;
  /** Whether the peer of a request may say which id the request has. */
  readonly trustsPeer: (request: HttpRequest) => boolean;
  readonly app: IdReading;
}

/**
 * Settles the id of a request, before anybody asks for it: the one that a believed proxy gave, else one of our own. The header that an
 * app reads never names another one than the log and the answer do.
 */
export function makeIdentify({ header, trustsPeer, app }: RequestIdOptions): (request: HttpRequest) => void {
  const wanted = header.toLowerCase();
  const { length } = wanted;
  return (request) => {
    const { incoming } = request;
    const { rawHeaders } = incoming;
    let found = -1;
    let isOne = true;
    for (let n = 0; n < rawHeaders.length; n += 2) {
      const name = rawHeaders[n] as string;
      if (name.length !== length || name.toLowerCase() !== wanted) continue;
      isOne = found === -1;
      found = n + 1;
    }
    if (found === -1) {
      if (app === "headers") show(request, wanted, header);
      return;
    }
    const told = rawHeaders[found] as string;
    request.upstreamId = told;
    if (isOne && isRequestId(told) && trustsPeer(request)) request.id = told;
    else if (app !== "clients") show(request, wanted, header);
  };
}

/** Everywhere that Node keeps headers: as they came, and by name. */
function show({ incoming, id }: HttpRequest, wanted: string, header: string): void {
  const { rawHeaders } = incoming;
  const raw: string[] = [];
  for (let n = 0; n + 1 < rawHeaders.length; n += 2) {
    const name = rawHeaders[n] as string;
    if (name.length !== wanted.length || name.toLowerCase() !== wanted) raw.push(name, rawHeaders[n + 1] as string);
  }
  raw.push(header, id);
  if (takeRawHeaders(incoming, raw)) return;
  // Node makes these two from `rawHeaders` when they are first asked for, and counts on its length: they are asked for before.
  const { headers, headersDistinct } = incoming;
  headers[wanted] = id;
  headersDistinct[wanted] = [id];
  incoming.rawHeaders = raw;
}
