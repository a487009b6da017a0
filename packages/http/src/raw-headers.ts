import { IncomingMessage } from "node:http";
import { Socket } from "node:net";

/** The headers of a request as they came; none of one that its app has taken apart, which may be asked for long after. */
export function rawHeadersOf(incoming: IncomingMessage): readonly string[] {
  const { rawHeaders } = incoming as { readonly rawHeaders: unknown };
  return Array.isArray(rawHeaders) ? (rawHeaders as string[]) : [];
}

/**
 * The first value of a header. `headers` is left alone where it can be: Node makes it when it is asked for, and many a request is answered
 * without it.
 *
 * @param name in lower case
 */
export function firstHeader(incoming: IncomingMessage, name: string): string | undefined {
  if (incoming.httpVersionMajor > 1) return incoming.headers[name]?.toString();
  const rawHeaders = rawHeadersOf(incoming);
  const { length } = name;
  for (let n = 0; n < rawHeaders.length; n += 2) {
    const each = rawHeaders[n] as string;
    if (each.length === length && each.toLowerCase() === name) return rawHeaders[n + 1];
  }
  return undefined;
}

/** What Node keeps of a message (github.com/nodejs/node/blob/main/lib/_http_incoming.js). */
type LazyMessage = IncomingMessage & {
  _addHeaderLines?(rawHeaders: readonly string[], length: number): void;
  readonly [symbol: symbol]: unknown;
};

/** Under which a message has its headers by name, and those with a list for each, once they were asked for. */
interface Keys {
  readonly byName: symbol | undefined;
  readonly distinct: symbol | undefined;
}

let known: Keys | undefined;

function keys(): Keys {
  if (known !== undefined) return known;
  const asked = new IncomingMessage(new Socket());
  void asked.headers;
  void asked.headersDistinct;
  const symbols = Object.getOwnPropertySymbols(asked);
  const named = (name: string): symbol | undefined => symbols.find(({ description }) => description === name);
  known = { byName: named("kHeaders"), distinct: named("kHeadersDistinct") };
  return known;
}

/** Whether nobody has asked for the headers of a message by name: `rawHeaders` is then all that there is of them. */
export function areHeadersRaw(incoming: IncomingMessage): boolean {
  const { byName, distinct } = keys();
  if (byName === undefined || distinct === undefined) return false;
  return ((incoming as LazyMessage)[byName] ?? (incoming as LazyMessage)[distinct] ?? undefined) === undefined;
}

/**
 * Gives a message other headers than came, as long as Node has made nothing of them: it takes them as it took those of its parser.
 *
 * @returns whether that could be done
 */
export function takeRawHeaders(incoming: IncomingMessage, rawHeaders: readonly string[]): boolean {
  const message = incoming as LazyMessage;
  if (rawHeaders.length === 0) return false;
  // Of a message that is complete it would take them for trailers.
  if (message.complete || message.httpVersionMajor > 1 || typeof message._addHeaderLines !== "function" || !areHeadersRaw(incoming))
    return false;
  message._addHeaderLines(rawHeaders, rawHeaders.length);
  return true;
}
