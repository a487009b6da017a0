import type { IncomingMessage } from "node:http";
import { describe, expect, test } from "vitest";
import { makeHeadCheck } from "./check-head.ts";

function head(lines: readonly (readonly [string, string])[], version = "1.1"): IncomingMessage {
  const [major = 1, minor = 1] = version.split(".").map(Number);
  return {
    rawHeaders: lines.flat(),
    httpVersion: version,
    httpVersionMajor: major,
    httpVersionMinor: minor,
  } as unknown as IncomingMessage;
}

describe("the check of a request's head", () => {
  const check = makeHeadCheck(10);
  const statusOf = (lines: readonly (readonly [string, string])[], version?: string): number | undefined =>
    check(head(lines, version))?.status;

  test.each([
    "",
    "a",
    "a.example",
    "a:80",
    "a:",
    "A_b.example:65535",
    "127.0.0.1:1",
    "[::1]",
    "[::1]:8080",
    "[v1.x]",
    "%61",
    "*.x",
    "x!$&'()*+,;=~",
  ])("Host %j is one", (host) => expect(statusOf([["Host", host]])).toBeUndefined());

  const targetStatus = (url: string, method = "GET"): number | undefined =>
    check(Object.assign(head([["Host", "a"]]), { url, method }))?.status;

  test.each([
    "/",
    "//",
    "//other.example/x",
    "/%zz",
    "/a\\b",
    "*",
    "http://a",
    "http://a/",
    "HTTPS://a.example:8080/x?y#z",
    "http://[::1]/",
    "http://a?b",
  ])("target %j is one", (url) => expect(targetStatus(url)).toBeUndefined());

  test.each([
    "http://",
    "http:///x",
    "http://[/",
    "http://a:b/",
    "http://a:70000/",
    "http://u:p@a/",
    "http://a b/",
    "ftp://a/",
    "a",
    "a:1",
    "mailto:x",
    "",
  ])("target %j is none", (url) => expect(targetStatus(url)).toBe(400));

  test("what a CONNECT names is left to its listener", () => expect(targetStatus("a.example:443", "CONNECT")).toBeUndefined());

  test.each(["a b", "a/b", "a@b", "a:b", "a:65536", "a:1:2", "[::1", "::1", "[::1]x", "%6", "é", "a\u0000", '"', "<x>", "x".repeat(600)])(
    "Host %j is none",
    (host) => expect(statusOf([["Host", host]])).toBe(400),
  );

  test("a good one that was seen before does not let a bad one pass", () => {
    expect(statusOf([["host", "good"]])).toBeUndefined();
    expect(statusOf([["HOST", "bad bad"]])).toBe(400);
    expect(statusOf([["Host", "good"]])).toBeUndefined();
  });

  test("there is one, whatever case it is written in", () => {
    expect(statusOf([])).toBe(400);
    expect(statusOf([["Hosts", "a"]])).toBe(400);
    expect(
      statusOf([
        ["Host", "a"],
        ["hOST", "a"],
      ]),
    ).toBe(400);
    expect(statusOf([], "1.0")).toBeUndefined();
    expect(
      statusOf(
        [
          ["Host", "a"],
          ["Host", "a"],
        ],
        "1.0",
      ),
    ).toBe(400);
  });

  test("HTTP/1.0 has no Transfer-Encoding, and other versions are not spoken", () => {
    expect(statusOf([["Transfer-Encoding", "chunked"]], "1.0")).toBe(400);
    expect(
      statusOf([
        ["Host", "a"],
        ["Transfer-Encoding", "chunked"],
      ]),
    ).toBeUndefined();
    for (const version of ["0.9", "2.0", "3.0"]) expect(statusOf([["Host", "a"]], version)).toBe(400);
  });

  test("so many lines and no more", () => {
    const lines = (count: number): [string, string][] => [
      ["Host", "a"],
      ...Array.from({ length: count - 1 }, (): [string, string] => ["X", "y"]),
    ];
    expect(statusOf(lines(10))).toBeUndefined();
    expect(check(head(lines(11)))).toMatchObject({ status: 431, reason: "header", setting: "max_header_count = 10" });
  });
});
