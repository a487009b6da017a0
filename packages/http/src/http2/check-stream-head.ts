import { isHost } from "../check-head.ts";
import { badRequest, headTooLarge, tooManyHeaderLines, type Refusal } from "../refusal.ts";

/** What of a request is looked at: names and values in turn, pseudo-headers among them. */
export interface StreamHead {
  readonly headers: Record<string, string | string[] | undefined>;
  readonly rawHeaders: string[];
}

export interface StreamHeadLimits {
  readonly maxHeaderLines: number;
  readonly maxHeaderBytes: number;
}

/** What HTTP/1 has between a name and a value, and after it: the limit means the same for both. */
const lineOverhead = ": \r\n".length;

/**
 * What RFC 9113 leaves to the server: whose the request is (section 8.3.1: `:authority` or `Host`, and not two that differ), and how
 * large its head may be. Names in the wrong form and headers of the connection are refused before, by nghttp2.
 */
export function makeStreamHeadCheck({ maxHeaderLines, maxHeaderBytes }: StreamHeadLimits): (head: StreamHead) => Refusal | undefined {
  const tooMany = tooManyHeaderLines(maxHeaderLines);
  const tooLarge = headTooLarge(maxHeaderBytes);
  // Most clients say the same again and again.
  let lastGoodHost = "localhost";
  return ({ headers, rawHeaders }) => {
    let lines = 0;
    let bytes = 0;
    for (let n = 0; n + 1 < rawHeaders.length; n += 2) {
      const [name = "", value = ""] = [rawHeaders[n], rawHeaders[n + 1]];
      if (!name.startsWith(":")) lines += 1;
      bytes += name.length + value.length + lineOverhead;
    }
    if (lines > maxHeaderLines) return tooMany;
    if (bytes > maxHeaderBytes) return tooLarge;
    const { ":authority": authority, host } = headers;
    if (typeof host !== "string" || host === "") return badRequest("the request has neither :authority nor Host");
    if (typeof authority === "string" && authority.toLowerCase() !== host.toLowerCase())
      return badRequest("the request's :authority and its Host differ");
    if (host === lastGoodHost) return undefined;
    if (!isHost(host)) return badRequest("the request's :authority is none");
    lastGoodHost = host;
    return undefined;
  };
}

/** Apps and logs look for `Host`, which clients of HTTP/2 leave out: it is `:authority` (RFC 9113, section 8.3.1). */
export function addHost({ headers, rawHeaders }: StreamHead): void {
  const authority = headers[":authority"];
  if (headers["host"] !== undefined || typeof authority !== "string" || authority === "") return;
  headers["host"] = authority;
  rawHeaders.push("host", authority);
}
