import { expect, test } from "vitest";
import { ResponseReader } from "./response-reader.ts";

/** Reads a response in pieces of each size. */
function readings(text: string): { complete: boolean; status: number; body: string; closes: boolean }[] {
  return [1, 7, text.length].map((size) => {
    const reader = new ResponseReader();
    for (let i = 0; i < text.length; i += size) reader.push(Buffer.from(text.slice(i, i + size), "latin1"));
    return { complete: reader.isComplete, status: reader.status, body: reader.body, closes: reader.closes };
  });
}

test.each([
  ["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", { complete: true, status: 200, body: "hello", closes: false }],
  ["HTTP/1.1 503 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", { complete: true, status: 503, body: "", closes: true }],
  [
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n",
    { complete: true, status: 200, body: "hello!", closes: false },
  ],
  ["HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello", { complete: false, status: 200, body: "", closes: false }],
])("%j", (text, expected) => {
  for (const reading of readings(text)) expect(reading).toEqual(expected);
});

test("a chunked body that breaks off is not complete", () => {
  for (const { complete } of readings("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel")) expect(complete).toBe(false);
});

test("a body without a length ends with its connection", () => {
  const reader = new ResponseReader();
  reader.push(Buffer.from("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello"));
  expect([reader.isComplete, reader.endsAtClose(), reader.body]).toEqual([false, true, "hello"]);
});
