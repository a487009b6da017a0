import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { addRawHeader, areHeadersRaw, firstHeader, takeRawHeaders, rawHeadersOf } from "./raw-headers.ts";

/** A message as Node's parser hands it over. */
function messageWith(raw: readonly string[]): IncomingMessage {
  const incoming = new IncomingMessage(new Socket());
  incoming.httpVersionMajor = 1;
  (incoming as unknown as { _addHeaderLines(raw: readonly string[], count: number): void })._addHeaderLines(raw, raw.length);
  return incoming;
}

/** Who has looked at a message before: Node itself asks each request of HTTP/1.1 for its headers by name. */
const looks: readonly (readonly [string, (incoming: IncomingMessage) => unknown])[] = [
  ["nobody has asked for", () => undefined],
  ["were asked for by name", ({ headers }) => headers],
];

test.each([
  ["by name", (incoming: IncomingMessage) => incoming.headers],
  ["with a list for each", (incoming: IncomingMessage) => incoming.headersDistinct],
])("headers are raw until they are asked for %s", (_how, ask) => {
  const incoming = messageWith(["Host", "a"]);
  expect(areHeadersRaw(incoming)).toBe(true);
  void incoming.rawHeaders;
  expect(areHeadersRaw(incoming)).toBe(true);
  ask(incoming);
  expect(areHeadersRaw(incoming)).toBe(false);
});

describe.each(looks)("headers that %s", (_who, look) => {
  test("can be replaced, and are then what Node makes of the others, however many", () => {
    for (let length = 1; length < 30; length++) {
      const raw = Array.from({ length }, (_, n) => [`X-Name-${n % 7}`, `value ${n}`]).flat();
      const incoming = messageWith(["Host", "a", "Cookie", "b"]);
      look(incoming);
      expect(takeRawHeaders(incoming, raw)).toBe(true);
      const other = messageWith(raw);
      expect([incoming.headers, incoming.headersDistinct, incoming.rawHeaders]).toEqual([other.headers, other.headersDistinct, raw]);
    }
  });

  test("can get one more, and are then what Node makes of all, however many", () => {
    for (let length = 0; length < 30; length++) {
      const raw = Array.from({ length }, (_, n) => [`X-Name-${n % 7}`, `value ${n}`]).flat();
      const incoming = messageWith([...raw]);
      look(incoming);
      expect(addRawHeader(incoming, "x-more", "m")).toBe(true);
      const other = messageWith([...raw, "x-more", "m"]);
      expect([incoming.headers, incoming.headersDistinct, incoming.rawHeaders]).toEqual([
        other.headers,
        other.headersDistinct,
        other.rawHeaders,
      ]);
    }
  });

  test("are not replaced by none: Node would keep those that there are", () => {
    const incoming = messageWith(["Host", "a"]);
    look(incoming);
    expect([takeRawHeaders(incoming, []), incoming.headers.host]).toEqual([false, "a"]);
  });

  test("of a message that has come to its end, of HTTP/2, or of which lists were made, are left", () => {
    const ended = messageWith(["Host", "a"]);
    ended.complete = true;
    const second = messageWith(["Host", "a"]);
    second.httpVersionMajor = 2;
    const listed = messageWith(["Host", "a"]);
    void listed.headersDistinct;
    for (const incoming of [ended, second, listed]) {
      look(incoming);
      expect([takeRawHeaders(incoming, ["Host", "b"]), addRawHeader(incoming, "x-more", "m")]).toEqual([false, false]);
      expect([incoming.headers, incoming.rawHeaders, incoming.trailers]).toEqual([{ host: "a" }, ["Host", "a"], {}]);
    }
  });
});

test("the first value of a name is what Node gives for one that may come once", () => {
  for (const lines of [
    [],
    ["Host", "a"],
    ["hOST", "a", "Host", "b"],
    ["X-Host", "x", "Host", "", "Host", "c"],
    ["Hos", "a", "Hosts", "b"],
  ]) {
    const found = firstHeader(messageWith(lines), "host");
    expect(found).toBe(messageWith(lines).headers.host);
  }
  const second = { httpVersionMajor: 2, headers: { host: "h2" }, rawHeaders: [] } as unknown as IncomingMessage;
  expect(firstHeader(second, "host")).toBe("h2");
});

test.each<[string, unknown]>([
  ["null", null],
  ["undefined", undefined],
  ["a text", "Host: a"],
])("a request whose app has put %s in their place has no headers", (_, rawHeaders) => {
  const incoming = Object.assign(messageWith(["Host", "a"]), { rawHeaders });
  expect([rawHeadersOf(incoming), firstHeader(incoming, "host")]).toEqual([[], undefined]);
});
