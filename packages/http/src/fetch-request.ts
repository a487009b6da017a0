import type { IncomingMessage } from "node:http";
import type { ReadableStream } from "node:stream/web";
import { clientOf } from "./client.ts";
import { badRequest, type Refusal } from "./refusal.ts";

const noUrl = badRequest("the request's target is no URL");

/** Methods that the fetch standard forbids (fetch.spec.whatwg.org, "forbidden method"): no `Request` has one. */
const forbidden: ReadonlySet<string> = new Set(["CONNECT", "TRACE", "TRACK"]);

/**
 * The request of a web-standard app; or why there is none.
 *
 * The target is appended to scheme and host, it is never resolved as a reference: `//evil.example/x` is a path. Only the absolute
 * form names a host (RFC 9112, section 3.2). Scheme and host are the client's, as a trusted proxy tells them.
 */
export function toFetchRequest(incoming: IncomingMessage, signal: AbortSignal): Request | Refusal {
  const method = incoming.method ?? "GET";
  if (forbidden.has(method)) return { status: 501, reason: "parse", message: `${method} is not served here` };
  const url = urlOf(incoming);
  if (url === undefined) return noUrl;
  const headers = headersOf(incoming);
  try {
    if (method === "GET" || method === "HEAD") return new Request(url, { method, headers, signal });
    const body = bodyOf(incoming);
    return new Request(url, { method, headers, signal, body, duplex: "half" } as RequestInit);
  } catch {
    return noUrl;
  }
}

function urlOf(incoming: IncomingMessage): string | undefined {
  const { scheme, host } = clientOf(incoming);
  const target = incoming.url ?? "/";
  // The head check lets through no such Host; what a proxy tells, and another server in front, may be one.
  if (host !== undefined && /[/?#@\\\s]/.test(host)) return undefined;
  const origin = `${scheme}://${host === undefined || host === "" ? "localhost" : host}`;
  if (target === "*") return validUrl(origin);
  if (target.startsWith("/")) return validUrl(origin, target);
  return /^https?:\/\//i.test(target) ? validUrl(target) : undefined;
}

/** `URL` of what is appended: without credentials, which no target and no Host may have. */
function validUrl(start: string, target = ""): string | undefined {
  try {
    const url = new URL(start + target);
    if (url.username !== "" || url.password !== "") return undefined;
    return url.href;
  } catch {
    return undefined;
  }
}

function headersOf(incoming: IncomingMessage): Headers {
  const { rawHeaders } = incoming;
  const headers = new Headers();
  for (let n = 0; n + 1 < rawHeaders.length; n += 2) {
    const [name = "", value = ""] = [rawHeaders[n], rawHeaders[n + 1]];
    // What is the request's own in HTTP/2, such as `:path`, is in its URL and its method.
    if (name.startsWith(":")) continue;
    try {
      headers.append(name, value);
    } catch {
      // What Node's parser takes and the standard does not, such as an obsolete folding, is not for the app.
    }
  }
  // They have no socket to ask: the client's address is always there.
  headers.set("x-forwarded-for", clientOf(incoming).address);
  return headers;
}

/**
 * The body as a stream that takes from the connection only what the app asks for. Whoever does not read it to its end leaves it to
 * the server, which throws the rest away before the next request.
 */
function bodyOf(incoming: IncomingMessage): ReadableStream<Uint8Array> {
  let isClosed = false;
  let isBegun = false;
  // Other apps than those of the fetch standard do not load it.
  const streams = process.getBuiltinModule("node:stream/web");
  return new streams.ReadableStream<Uint8Array>(
    {
      start: (controller) => {
        const end = (error?: unknown): void => {
          if (isClosed) return;
          isClosed = true;
          if (error === undefined) controller.close();
          else controller.error(error);
        };
        incoming.once("end", () => end());
        incoming.once("error", end);
        incoming.once("close", () => {
          if (!incoming.complete) end(new DOMException("the client went away before the body's end", "AbortError"));
        });
      },
      pull: (controller) => {
        // Only now: a body that nobody asks for is Node's to throw away.
        if (!isBegun) {
          isBegun = true;
          incoming.on("data", (chunk: Buffer) => {
            if (isClosed) return;
            controller.enqueue(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength));
            if ((controller.desiredSize ?? 0) <= 0) incoming.pause();
          });
        }
        incoming.resume();
      },
      cancel: () => {
        isClosed = true;
        incoming.removeAllListeners("data");
        incoming.resume();
      },
    },
    { highWaterMark: 0 },
  );
}
