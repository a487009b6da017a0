import type { OutgoingHttpHeader, ServerResponse } from "node:http";

/** What Node keeps of an answer whose head is composed, and what it goes by (lib/_http_outgoing.js). */
interface ComposedResponse extends ServerResponse {
  _header: string | null;
  _headerSent: boolean;
  _contentLength: number | null;
  _removedContLen: boolean;
  readonly _hasBody: boolean;
  readonly _last: boolean;
  readonly _removedConnection: boolean;
  readonly _defaultKeepAlive: boolean;
  readonly _keepAliveTimeout: number;
  readonly _maxRequestsPerSocket?: number;
  readonly maxRequestsOnConnectionReached?: boolean;
}

/** What was sent under a name the last time, and how often it was something else. */
interface Sent {
  value: string;
  changes: number;
}

/** Names that decide what becomes of the answer or its connection, and those that Node treats in a way of their own. */
const special = new Set([
  "connection",
  "content-disposition",
  "content-length",
  "cookie",
  "date",
  "expect",
  "keep-alive",
  "set-cookie",
  "trailer",
  "transfer-encoding",
]);
const mostNames = 100;
const longestValue = 200;
/** A header that is another one each time is not worth being kept. */
const mostChanges = 8;

/** Composes heads that say what was said before, as Node does (`_storeHeader` in github.com/nodejs/node/blob/main/lib/_http_outgoing.js). */
export interface HeadComposer {
  /**
   * Composes a head whose headers Node has looked at before, all but the length of the body, and only for an answer after which
   * the connection goes on.
   *
   * @returns whether it did; else nothing has changed
   */
  compose(response: ServerResponse, firstLine: string, headers: unknown): boolean;
  /** Takes note of headers that Node has taken: it looks at each character of names and values, and throws at those that can't be sent. */
  learn(headers: unknown): void;
}

/** @param now the time of day, in milliseconds */
export function makeHeadComposer(now: () => number = Date.now): HeadComposer {
  const sent = new Map<string, Sent>();
  let dateLine = "";
  let timeoutMs = -1;
  let connectionLines = "";

  /** Good until the second is over, as Node's own. */
  function date(): string {
    if (dateLine === "") {
      const ms = now();
      dateLine = `Date: ${new Date(ms).toUTCString()}\r\n`;
      setTimeout(() => (dateLine = ""), 1000 - (ms % 1000)).unref();
    }
    return dateLine;
  }

  function connection(ms: number): string {
    if (ms !== timeoutMs) {
      timeoutMs = ms;
      connectionLines = `Connection: keep-alive\r\n${ms ? `Keep-Alive: timeout=${Math.floor(ms / 1000)}\r\n` : ""}`;
    }
    return connectionLines;
  }

  return {
    compose: (plain, firstLine, headers) => {
      if (typeof headers !== "object" || headers === null || Array.isArray(headers)) return false;
      const response = plain as ComposedResponse;
      if (!goesOnAsUsual(response)) return false;
      let head = firstLine;
      let length = -1;
      const byName = headers as Readonly<Record<string, OutgoingHttpHeader>>;
      for (const name in byName) {
        const value = byName[name];
        if (name === "content-length" || name === "Content-Length") {
          if (length !== -1) return false;
          length = lengthIn(value);
          if (length === -1) return false;
        } else if (typeof value !== "string" || sent.get(name)?.value !== value) return false;
        // An inherited one is not sent.
        if (!Object.hasOwn(byName, name)) return false;
        head += `${name}: ${value as string | number}\r\n`;
      }
      if (length === -1) return false;
      response._contentLength = length;
      response._removedContLen = false;
      response._header = `${head}${date()}${connection(response._keepAliveTimeout)}\r\n`;
      response._headerSent = false;
      return true;
    },
    learn: (headers) => {
      if (typeof headers !== "object" || headers === null || Array.isArray(headers)) return;
      for (const [name, value] of Object.entries(headers)) {
        if (typeof value !== "string" || value.length > longestValue) continue;
        const before = sent.get(name);
        if (before !== undefined) {
          if (before.value === value || before.changes > mostChanges) continue;
          before.value = value;
          before.changes += 1;
        } else if (sent.size < mostNames && !special.has(name.toLowerCase())) sent.set(name, { value, changes: 0 });
      }
    },
  };
}

/** Whether nothing is out of the ordinary with an answer: it has a body, says when it was made, and its connection is kept. */
function goesOnAsUsual(response: ComposedResponse): boolean {
  return (
    response._hasBody === true &&
    response.shouldKeepAlive &&
    response.sendDate &&
    response.useChunkedEncodingByDefault &&
    !response.chunkedEncoding &&
    !response._last &&
    response._removedConnection === false &&
    response._defaultKeepAlive === true &&
    !response.maxRequestsOnConnectionReached &&
    !response._maxRequestsPerSocket &&
    typeof response._keepAliveTimeout === "number" &&
    response.statusCode >= 200
  );
}

/** @returns -1 where it is none that is written as one usually is */
function lengthIn(value: unknown): number {
  if (typeof value === "number") return Number.isSafeInteger(value) && value >= 0 ? value : -1;
  if (typeof value !== "string" || value.length === 0 || value.length > 15) return -1;
  let length = 0;
  for (let n = 0; n < value.length; n++) {
    const digit = value.charCodeAt(n) - 48;
    if (digit < 0 || digit > 9) return -1;
    length = length * 10 + digit;
  }
  return length;
}
