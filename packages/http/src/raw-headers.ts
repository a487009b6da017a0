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
  _addHeaderLines(rawHeaders: readonly string[], length: number): void;
  readonly [symbol: symbol]: unknown;
};

/** Under which a message has its headers by name, and those with a list for each, once they were asked for. */
interface Keys {
  readonly byName: symbol;
  readonly distinct: symbol;
}

/** `undefined` where messages of this version of Node are others than those that are known here: then nothing is taken for granted. */
const keys = ((): Keys | undefined => {
  const tried = new IncomingMessage(new Socket()) as LazyMessage;
  if (typeof tried._addHeaderLines !== "function") return undefined;
  const isNow = (name: string): boolean => Object.keys(tried.headers).join() === name && tried.rawHeaders[0] === name;
  tried._addHeaderLines(["a", "1"], 2);
  if (!isNow("a")) return undefined;
  forget(tried);
  tried._addHeaderLines(["b", "2"], 2);
  if (!isNow("b") || Object.keys(tried.headersDistinct).join() !== "b") return undefined;
  const symbols = Object.getOwnPropertySymbols(tried);
  const named = (name: string): symbol | undefined => symbols.find(({ description }) => description === name);
  const [byName, distinct] = [named("kHeaders"), named("kHeadersDistinct")];
  return byName === undefined || distinct === undefined ? undefined : { byName, distinct };
})();

/** Has Node make the headers by name anew when they are next asked for. */
function forget(message: LazyMessage): void {
  (message as { headers: unknown }).headers = null;
}

/** Whether nobody has asked for the headers of a message by name: `rawHeaders` is then all that there is of them. */
export function areHeadersRaw(incoming: IncomingMessage): boolean {
  if (keys === undefined) return false;
  const message = incoming as LazyMessage;
  return (message[keys.byName] ?? message[keys.distinct] ?? undefined) === undefined;
}

/**
 * Gives a message other headers than came, before the app has it: Node takes them as it takes those of its parser. Headers by name are
 * made anew when they are asked for next: of each request of HTTP/1.1 Node itself has asked whether it expects something (`parserOnIncoming`
 * in github.com/nodejs/node/blob/main/lib/_http_server.js).
 *
 * @returns whether that could be done
 */
export function takeRawHeaders(incoming: IncomingMessage, rawHeaders: readonly string[]): boolean {
  const message = incoming as LazyMessage;
  if (rawHeaders.length === 0 || !takesHeaders(message)) return false;
  forget(message);
  message._addHeaderLines(rawHeaders, rawHeaders.length);
  return true;
}

/**
 * The same for one more header, of a name that the message does not have.
 *
 * @param name in lower case
 */
export function addRawHeader(incoming: IncomingMessage, name: string, value: string): boolean {
  const message = incoming as LazyMessage;
  if (!takesHeaders(message)) return false;
  const { headers, rawHeaders } = message;
  rawHeaders.push(name, value);
  forget(message);
  message._addHeaderLines(rawHeaders, rawHeaders.length);
  headers[name] = value;
  (message as { headers: unknown }).headers = headers;
  return true;
}

/** Of a message that is complete it would take them for trailers; lists that were made of them would stay as they are. */
function takesHeaders(message: LazyMessage): boolean {
  return keys !== undefined && !message.complete && message.httpVersionMajor === 1 && (message[keys.distinct] ?? undefined) === undefined;
}
