import type { IncomingMessage } from "node:http";
import { badRequest, tooManyHeaderLines, type Refusal } from "./refusal.ts";

/** `uri-host [":" port]` of RFC 9110, section 7.2, with RFC 3986's `reg-name` or an address in brackets; it may be empty. */
const hostPattern =
  /^(?:[\w.~!$&'()*+,;=-]|%[0-9a-f]{2})*(?::\d{0,5})?$|^\[(?:[0-9a-f:.]+|v[0-9a-f]+\.[\w.~!$&'()*+,;=:-]+)\](?::\d{0,5})?$/i;
const longestHost = 512;

/**
 * What RFC 9112 demands of a server and Node's parser leaves out: one valid `Host` (section 3.2), no
 * `Transfer-Encoding` in HTTP/1.0 (section 6.1), no version of another protocol (section 2.3), a target that is one (section 3.2). And no more header lines than
 * are wanted, of which Node would drop the rest without a word.
 */
export function makeHeadCheck(maxHeaderLines: number): (incoming: IncomingMessage) => Refusal | undefined {
  const tooMany = tooManyHeaderLines(maxHeaderLines);
  // Most clients say the same again and again.
  let lastGoodHost = "localhost";
  return (incoming) => {
    const { rawHeaders, httpVersionMajor, httpVersionMinor } = incoming;
    if (rawHeaders.length > maxHeaderLines * 2) return tooMany;
    if (httpVersionMajor !== 1) return badRequest(`HTTP/${incoming.httpVersion} is not spoken here`);
    if (!isTarget(incoming)) return badRequest("the request's target is none");
    let host: string | undefined;
    for (let n = 0; n < rawHeaders.length; n += 2) {
      const name = rawHeaders[n] as string;
      if (name.length === 4) {
        if (name !== "Host" && name !== "host" && name.toLowerCase() !== "host") continue;
        if (host !== undefined) return badRequest("the request has more than one Host");
        host = rawHeaders[n + 1] as string;
      } else if (name.length === 17 && httpVersionMinor === 0 && name.toLowerCase() === "transfer-encoding") {
        return badRequest("HTTP/1.0 knows no Transfer-Encoding");
      }
    }
    if (host === undefined) return httpVersionMinor === 0 ? undefined : badRequest("the request has no Host");
    if (host === lastGoodHost) return undefined;
    if (!isHost(host)) return badRequest("the request's Host is none");
    lastGoodHost = host;
    return undefined;
  };
}

/**
 * Whether the target is a path, `*`, or the absolute form of one on a host (RFC 9112, section 3.2): frameworks make a URL of it, and
 * one that is none would be their failure. What a CONNECT names is its listener's to judge.
 */
function isTarget({ url = "/", method }: IncomingMessage): boolean {
  if (url.startsWith("/") || url === "*" || method === "CONNECT") return true;
  const authority = /^https?:\/\/([^/?#]+)/i.exec(url)?.[1];
  return authority !== undefined && isHost(authority);
}

/** Whether a text may stand as `Host`. */
export function isHost(text: string): boolean {
  if (text.length > longestHost || !hostPattern.test(text)) return false;
  const port = /:(\d+)$/.exec(text.replace(/^\[.*\]/, ""))?.[1];
  return port === undefined || Number(port) <= 65_535;
}
