import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { areHeadersRaw, firstHeader, takeRawHeaders, rawHeadersOf } from "./raw-headers.ts";

/** A message as Node's parser hands it over. */
function messageWith(raw: readonly string[]): IncomingMessage {
  const incoming = new IncomingMessage(new Socket());
  incoming.httpVersionMajor = 1;
  (incoming as unknown as { _addHeaderLines(raw: readonly string[], count: number): void })._addHeaderLines(raw, raw.length);
  return incoming;
}

describe("headers that nobody has asked for", () => {
  test.each([
    ["by name", (incoming: IncomingMessage) => incoming.headers],
    ["with a list for each", (incoming: IncomingMessage) => incoming.headersDistinct],
  ])("are raw until they are asked for %s", (_how, ask) => {
    const incoming = messageWith(["Host", "a"]);
    expect(areHeadersRaw(incoming)).toBe(true);
    void incoming.rawHeaders;
    expect(areHeadersRaw(incoming)).toBe(true);
    ask(incoming);
    expect(areHeadersRaw(incoming)).toBe(false);
    expect(takeRawHeaders(incoming, ["Host", "b"])).toBe(false);
    expect([incoming.headers.host, incoming.rawHeaders]).toEqual(["a", ["Host", "a"]]);
  });

  test("can be replaced, and are then what Node makes of the others, however many", () => {
    for (let length = 1; length < 30; length++) {
      const raw = Array.from({ length }, (_, n) => [`X-Name-${n % 7}`, `value ${n}`]).flat();
      const incoming = messageWith(["Host", "a", "Cookie", "b"]);
      expect(takeRawHeaders(incoming, raw)).toBe(true);
      const other = messageWith(raw);
      expect([incoming.headers, incoming.headersDistinct, incoming.rawHeaders]).toEqual([other.headers, other.headersDistinct, raw]);
    }
  });

  test("are not replaced by none: Node would keep those that there are", () => {
    const incoming = messageWith(["Host", "a"]);
    expect([takeRawHeaders(incoming, []), incoming.headers.host]).toEqual([false, "a"]);
  });

  test("of a message that has come to its end, or of HTTP/2, are left", () => {
    const ended = messageWith(["Host", "a"]);
    ended.complete = true;
    const second = messageWith(["Host", "a"]);
    second.httpVersionMajor = 2;
    for (const incoming of [ended, second]) {
      expect(takeRawHeaders(incoming, ["Host", "b"])).toBe(false);
      expect([incoming.headers.host, incoming.trailers]).toEqual(["a", {}]);
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
