import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { makeHeadComposer } from "./compose-head.ts";

/** What Node has noted of an answer when its head is composed. */
const noted = [
  "_header",
  "_headerSent",
  "_contentLength",
  "_removedContLen",
  "_last",
  "chunkedEncoding",
  "shouldKeepAlive",
  "_hasBody",
  "_defaultKeepAlive",
  "_removedConnection",
  "_removedTE",
  "statusCode",
] as const;
type Prepare = (response: ServerResponse) => void;

function respond(method: string, prepare?: Prepare): ServerResponse {
  const incoming = new IncomingMessage(new Socket());
  Object.assign(incoming, { method, httpVersionMajor: 1, httpVersionMinor: 1 });
  const response = new ServerResponse(incoming);
  Object.assign(response, { shouldKeepAlive: true, _keepAliveTimeout: 75_000 });
  prepare?.(response);
  return response;
}

interface Storing extends ServerResponse {
  _storeHeader(firstLine: string, headers: unknown): void;
}
const { _storeHeader: store } = ServerResponse.prototype as unknown as Storing;
type Outcome = Readonly<Record<string, unknown>>;

/** The same answer twice: by Node, and by the composer, which Node helps where it passes; and whether it passed. */
function both(headers: unknown, method: string, status: number, prepare?: Prepare): { ours: Outcome; nodes: Outcome; composed: boolean } {
  const composer = makeHeadComposer();
  let composed = false;
  const outcomeOf = (isOurs: boolean): Outcome => {
    const response = respond(method, prepare) as Storing;
    const own = (firstLine: string, given: unknown): void => {
      composed = isOurs && composer.compose(response, firstLine, given);
      if (composed) return;
      const isSetOneByOne = response.getHeaderNames().length > 0;
      store.call(response, firstLine, given);
      if (isOurs && !isSetOneByOne) composer.learn(given);
    };
    response._storeHeader = own;
    let thrown: unknown;
    try {
      response.writeHead(status, headers as Record<string, string>);
    } catch (error) {
      thrown = (error as NodeJS.ErrnoException).code;
    }
    const fields = response as unknown as Readonly<Record<string, unknown>>;
    const head = String(fields["_header"]).replace(/Date: [^\r]+GMT/, "Date: now");
    return { thrown, ...Object.fromEntries(noted.map((name) => [name, fields[name]])), _header: head };
  };
  const nodes = outcomeOf(false);
  outcomeOf(true);
  return { nodes, ours: outcomeOf(true), composed };
}

const names = ["content-type", "Content-Type", "x-a", "Cache-Control", "content-length", "Content-Length", "CONTENT-LENGTH", "etag"];
const specials = [
  "connection",
  "Keep-Alive",
  "date",
  "transfer-encoding",
  "Trailer",
  "set-cookie",
  "content-disposition",
  "expect",
  "bad name",
];
const values: readonly unknown[] = [
  "text/html",
  "5",
  7,
  "",
  "close",
  "keep-alive",
  "chunked",
  "a\r\nb",
  "é",
  "€",
  -1,
  1.5,
  "1e3",
  " 5",
  ["a", "b"],
  undefined,
];
const statuses = [200, 201, 204, 304, 404, 500];
const preparations: readonly (Prepare | undefined)[] = [
  undefined,
  (response) => (response.sendDate = false),
  (response) => (response.shouldKeepAlive = false),
  (response) => response.setHeader("x-before", "1"),
  (response) => response.removeHeader("connection"),
  (response) => response.removeHeader("content-length"),
  (response) => Object.assign(response, { _maxRequestsPerSocket: 9 }),
  (response) => Object.assign(response, { _keepAliveTimeout: 0 }),
  (response) => Object.assign(response, { maxRequestsOnConnectionReached: true }),
];

/** A sequence of numbers below a bound, the same for the same seed (mulberry32). */
function lots(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  };
}

describe("a head that is composed here", () => {
  test("is what Node composes of the same headers, and leaves the same noted, whatever they are", () => {
    let composedOnes = 0;
    for (let seed = 1; seed <= 4000; seed++) {
      const lot = lots(seed);
      const pick = <T>(list: readonly T[]): T => list[lot(list.length)] as T;
      const headers: Record<string, unknown> = lot(2) === 0 ? { "content-length": String(lot(100)) } : {};
      for (let count = lot(4); count > 0; count--)
        headers[pick(lot(4) === 0 ? specials : names)] = pick(lot(3) === 0 ? values : ["text/a", "1"]);
      const method = lot(8) === 0 ? "HEAD" : "GET";
      const { ours, nodes, composed } = both(
        headers,
        method,
        lot(3) === 0 ? pick(statuses) : 200,
        lot(3) === 0 ? pick(preparations) : undefined,
      );
      if (composed) composedOnes += 1;
      expect(ours, `seed ${seed}: ${JSON.stringify(headers)}`).toEqual(nodes);
    }
    expect(composedOnes).toBeGreaterThan(500);
  });

  test.each([
    [{ "content-type": "text/plain", "content-length": "2" }, true],
    [{ "content-type": "text/plain", "Content-Length": 2 }, true],
    [{ "content-type": "text/plain" }, false],
    [{ "content-length": 2, "Content-Length": 2 }, false],
    [{ "content-length": "2", connection: "close" }, false],
    [["content-length", "2"], false],
    [Object.create({ "content-length": "2" }), false],
  ])("of %j, the second time: %s", (headers, expected) => {
    expect(both(headers, "GET", 200).composed).toBe(expected);
  });

  test("follows a header that changes, and gives up one that always does", () => {
    const composer = makeHeadComposer();
    const composedOf = (value: string): boolean => {
      const headers = { etag: value, "content-length": "1" };
      const composed = composer.compose(respond("GET"), "", headers);
      composer.learn(headers);
      return composed;
    };
    expect([composedOf("a"), composedOf("a"), composedOf("b"), composedOf("b")]).toEqual([false, true, false, true]);
    for (let n = 0; n < 20; n++) composedOf(String(n));
    expect([composedOf("z"), composedOf("z")]).toEqual([false, false]);
  });
});
