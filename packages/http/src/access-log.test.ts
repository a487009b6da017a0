import { pino } from "pino";
import { describe, expect, test } from "vitest";
import { pageOf } from "./access-record.ts";
import { escaped, fileLine, infoLine, jsonLine, recordFields, webServerLine } from "./access-line.ts";
import { exclusion, isExcluded } from "./exclusion.ts";
import type { HttpRequest } from "./http-request.ts";

describe("a line as web servers write it", () => {
  const now = Date.UTC(2026, 0, 5, 3, 4, 9);

  test("common and combined", () => {
    const record = { method: "GET", path: "/a", http_version: "1.0", status: 200, bytes: 5, client: "::1", referer: "r", user_agent: "u" };
    expect(webServerLine(record, false, now)).toBe('::1 - - [05/Jan/2026:03:04:09 +0000] "GET /a HTTP/1.0" 200 5\n');
    expect(webServerLine(record, true, now)).toBe('::1 - - [05/Jan/2026:03:04:09 +0000] "GET /a HTTP/1.0" 200 5 "r" "u"\n');
  });

  test("what is not known is a dash", () => {
    expect(webServerLine({ status: 400 }, true, now)).toBe('- - - [05/Jan/2026:03:04:09 +0000] "-" 400 - "-" "-"\n');
  });

  test("no text of a client's ends the quotes, or the line", () => {
    for (let code = 0; code < 0x300; code++) {
      const written = escaped(`a${String.fromCharCode(code)}b`);
      expect(written).toMatch(/^a(?:[ -~]|(?:\\x[0-9A-F]{2})+)b$/);
      expect(written).not.toMatch(/"|\\(?!x)/);
    }
  });
});

describe("a line of JSON", () => {
  test("is what JSON.stringify writes, whatever is in the record and whenever", () => {
    const texts = ["", "plain /a?b", 'a "quote"', "back\\slash", "\u0000\n\u2028é", "\ud800", "\x7f", "a]b[c#!~ "];
    for (const [index, text] of texts.entries()) {
      const nowMs = Date.UTC(2026, 0, 5, 3, 4, 9) + index * 499;
      const record = {
        req_id: text,
        status: 200,
        bytes: 0,
        duration_ms: 0.125,
        client: undefined,
        aborted: true,
        sample_rate: 0.1,
        host: text,
      };
      const line = jsonLine(record, text, nowMs);
      expect(line.endsWith("}\n")).toBe(true);
      expect(JSON.parse(line)).toEqual(JSON.parse(JSON.stringify({ time: new Date(nowMs).toISOString(), ...record, msg: text })));
    }
  });
});

test("a line that is handed over as it is, is what a logger would write", () => {
  const record = { req_id: "a-1", method: "GET", path: "/\u20ac", status: 200, bytes: 5, aborted: undefined };
  const written: string[] = [];
  const log = pino(
    { base: { pid: 7, hostname: "h" }, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (level) => ({ level }) } },
    { write: (line) => written.push(line) },
  ).child({ logger: "tsserve.access" });
  log.info(record, "request completed");
  const [line = ""] = written;
  const nowMs = Date.parse((JSON.parse(line) as { time: string }).time);
  const bindings = JSON.stringify({ pid: 7, hostname: "h", ...log.bindings() }).slice(1, -1);
  expect(infoLine(recordFields(record), "request completed", nowMs, bindings)).toBe(line);
  expect(fileLine(recordFields(record), "request completed", nowMs)).toBe(jsonLine(record, "request completed", nowMs));
});

describe("what has no line", () => {
  const request = (url: string, status: number, isProbe = false): HttpRequest => ({ url, status, isProbe }) as HttpRequest;

  test.each([
    ["/health", "/health", true],
    ["/health", "/health?type=liveness", true],
    ["/health", "/healthy", false],
    ["/static/*", "/static/a.css", true],
    ["/static/*", "/static/a/b.css", false],
    ["/static/**", "/static/a/b.css", true],
    ["/a.b", "/axb", false],
    ["/(x", "/(x", true],
    ["3xx", "/any", true],
    ["4XX", "/any", false],
    ["probes", "/health", false],
  ])("%s, asked of %s with a 302: %s", (pattern, url, expected) => {
    expect(isExcluded(request(url, 302), [exclusion(pattern)])).toBe(expected);
  });

  test("probes are those that the server answered as such", () => {
    expect(isExcluded(request("/health", 200, true), [exclusion("probes")])).toBe(true);
    expect(isExcluded(request("/health", 200, true), [])).toBe(false);
  });

  test.each(["6xx", "health", "", "*"])("%j is none of them", (text) => expect(() => exclusion(text)).toThrow("expected paths"));
});

test.each([
  [undefined, undefined],
  ["https://shop.example/cart", "https://shop.example/cart"],
  ["https://shop.example/cart?token=hunter2#part", "https://shop.example/cart"],
  ["https://me:hunter2@shop.example/", "https://shop.example/"],
  ["hunter2", undefined],
  ["javascript:alert(1)", undefined],
  [`https://shop.example/${"x".repeat(3000)}`, undefined],
])("the page that a request came from: %s", (referer, page) => {
  expect(pageOf(referer)).toBe(page);
});
