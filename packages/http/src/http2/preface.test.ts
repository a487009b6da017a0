import { describe, expect, test } from "vitest";
import { preface, protocolOf } from "./preface.ts";

describe("which protocol a connection speaks", () => {
  test("is known of HTTP/2 when the whole preface is there, in whatever pieces it comes, and whatever follows", () => {
    for (let length = 0; length < preface.length; length++) expect(protocolOf(preface.subarray(0, length))).toBeUndefined();
    expect(protocolOf(preface)).toBe("h2");
    expect(protocolOf(Buffer.concat([preface, Buffer.alloc(40_000, 1)]))).toBe("h2");
  });

  test("is HTTP/1 as soon as one byte is another, at each place", () => {
    for (let at = 0; at < preface.length; at++) {
      const bytes = Buffer.from(preface);
      bytes[at] = (bytes[at] as number) ^ 1;
      expect([at, protocolOf(bytes.subarray(0, at))]).toEqual([at, undefined]);
      expect([at, protocolOf(bytes.subarray(0, at + 1))]).toEqual([at, "http1"]);
      expect([at, protocolOf(bytes)]).toEqual([at, "http1"]);
    }
  });

  test.each([
    "GET / HTTP/1.1\r\n",
    "POST / HTTP/1.1\r\n",
    "PUT / ",
    "PATCH /",
    "PROPFIND / ",
    "PRI * HTTP/1.1\r\n\r\n",
    "\u0016\u0003\u0001",
    "\r\n",
  ])("%j is HTTP/1's", (text) => {
    const bytes = Buffer.from(text, "latin1");
    const verdicts = Array.from({ length: bytes.length }, (_, n) => protocolOf(bytes.subarray(0, n + 1)));
    expect(verdicts.at(-1)).toBe("http1");
    expect(verdicts).not.toContain("h2");
  });
});
