import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import { toFetchRequest } from "./fetch-request.ts";

interface Asked {
  readonly method?: string;
  readonly url?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: readonly string[];
}

function incomingOf({ method = "GET", url = "/", headers = { host: "good.example" }, body = [] }: Asked): IncomingMessage {
  const stream = Readable.from(body.map((each) => Buffer.from(each)));
  return Object.assign(stream, {
    method,
    url,
    headers,
    rawHeaders: Object.entries(headers).flat(),
    complete: true,
    socket: { remoteAddress: "::1", destroyed: false },
  }) as unknown as IncomingMessage;
}

const signal = new AbortController().signal;
const made = (asked: Asked): Request => {
  const request = toFetchRequest(incomingOf(asked), signal);
  if (!(request instanceof Request)) throw new Error(`refused: ${request.status}`);
  return request;
};
const status = (asked: Asked): number => {
  const refused = toFetchRequest(incomingOf(asked), signal);
  return refused instanceof Request ? 200 : refused.status;
};

describe("the URL of a request", () => {
  test.each([
    ["/", "http://good.example/"],
    ["/a/b?c=d#e", "http://good.example/a/b?c=d#e"],
    ["//evil.example/admin", "http://good.example//evil.example/admin"],
    ["//", "http://good.example//"],
    ["///x", "http://good.example///x"],
    ["/\\evil.example", "http://good.example//evil.example"],
    ["/http://evil.example/", "http://good.example/http://evil.example/"],
    ["/@evil.example", "http://good.example/@evil.example"],
    ["/a/../../b", "http://good.example/b"],
    ["http://absolute.example:81/x", "http://absolute.example:81/x"],
    ["HTTPS://absolute.example", "https://absolute.example/"],
    ["*", "http://good.example/"],
  ])("%s is %s", (url, expected) => expect(made({ url, method: url === "*" ? "OPTIONS" : "GET" }).url).toBe(expected));

  test.each([
    "http://",
    "http://a:b@c.example/",
    "ftp://c.example/",
    "http://[::1/",
    "http://c.example:99999/",
    "c.example:443",
    "",
    "javascript:x",
  ])("%j is none", (url) => expect(status({ url })).toBe(400));

  test.each(["a@b", "a b", "a/b", "[::1", "a:b:c"])("a Host %j makes none", (host) => expect(status({ headers: { host } })).toBe(400));

  test("without a Host is localhost's", () => {
    expect(made({ headers: {} }).url).toBe("http://localhost/");
    expect(made({ headers: { host: "" } }).url).toBe("http://localhost/");
  });
});

test.each(["CONNECT", "TRACE", "TRACK"])("%s is not for a web-standard app", (method) => expect(status({ method })).toBe(501));

test("the client's address is always there, once", () => {
  expect(made({}).headers.get("x-forwarded-for")).toBe("::1");
});

describe("a body", () => {
  test("arrives whole", async () => {
    const parts = Array.from({ length: 50 }, (_, n) => `${n},`);
    expect(await made({ method: "POST", body: parts }).text()).toBe(parts.join(""));
  });

  test("of a GET is none", () => expect(made({ method: "GET", body: ["x"] }).body).toBeNull());

  test("is not taken from the connection before somebody asks for it", () => {
    const incoming = incomingOf({ method: "POST", body: ["x"] });
    toFetchRequest(incoming, signal);
    expect(incoming.readableFlowing).toBeNull();
  });

  test("whose client goes away fails for who reads it", async () => {
    const incoming = incomingOf({ method: "POST", body: ["x", "y"] });
    Object.assign(incoming, { complete: false });
    const request = toFetchRequest(incoming, signal) as Request;
    const read = request.text();
    incoming.destroy();
    await expect(read).rejects.toThrow("the client went away");
  });

  test("that is cancelled is thrown away", async () => {
    const incoming = incomingOf({ method: "POST", body: ["x", "y"] });
    const request = toFetchRequest(incoming, signal) as Request;
    await request.body?.cancel();
    expect(incoming.readableFlowing).toBe(true);
  });
});
