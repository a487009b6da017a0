import { IncomingMessage, ServerResponse, type OutgoingHttpHeaders } from "node:http";
import { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { Connection } from "./connection.ts";
import { HttpRequest, requestKey } from "./http-request.ts";
import { OwnAnswers } from "./own-answer.ts";
import { makeGuardHead, type HeadRules } from "./response-head.ts";

const rules = (more: Partial<HeadRules> = {}): HeadRules => ({
  ends: () => false,
  server: undefined,
  contentType: undefined,
  requestIdHeader: undefined,
  ...more,
});

function begin(connection: Connection, method = "GET"): HttpRequest {
  const incoming = new IncomingMessage(connection.socket);
  Object.assign(incoming, { method, httpVersionMajor: 1, httpVersionMinor: 1, httpVersion: "1.1", complete: true, url: "/" });
  const request = new HttpRequest(incoming, new ServerResponse(incoming), connection, 0);
  Object.assign(request.response as ServerResponse, { shouldKeepAlive: true, [requestKey]: request });
  connection.beginRequest(request);
  return request;
}

const headOf = (request: HttpRequest): string => (request.response as unknown as { _header: string })._header;
const connectionsIn = (request: HttpRequest): string[] =>
  (headOf(request).match(/^connection: .*$/gim) ?? []).map((line) => line.toLowerCase());

/** Each way in which Node takes headers, and an app may say what becomes of the connection. */
const ways: Readonly<Record<string, (response: ServerResponse, headers: OutgoingHttpHeaders) => unknown>> = {
  setHeader: (response, headers) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value ?? "");
    response.end("x");
  },
  "writeHead with an object": (response, headers) => response.writeHead(200, headers).end("x"),
  "writeHead with a reason": (response, headers) => response.writeHead(200, "Fine", headers).end("x"),
  "writeHead with a list": (response, headers) => response.writeHead(200, Object.entries(headers).flat() as string[]).end("x"),
  "both, one after the other": (response, headers) => {
    response.setHeader("X-Before", "1");
    response.writeHead(200, headers).end("x");
  },
  flushHeaders: (response, headers) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value ?? "");
    response.flushHeaders();
  },
};
const sayings: readonly OutgoingHttpHeaders[] = [
  {},
  { Connection: "keep-alive" },
  { connection: "Keep-Alive", "Keep-Alive": "timeout=99" },
  { CONNECTION: "close" },
  { "Set-Cookie": ["a=1", "b=2"], Connection: "keep-alive" },
];

describe("the head of an answer", () => {
  for (const [way, answer] of Object.entries(ways)) {
    test(`${way}: says close when the connection ends, whatever the app says, and keeps all else`, () => {
      for (const headers of sayings) {
        const connection = new Connection(new Socket(), 0);
        const request = begin(connection);
        makeGuardHead(rules({ ends: () => true }))(request);
        answer(request.response as ServerResponse, headers);
        expect(connectionsIn(request)).toEqual(["connection: close"]);
        expect(headOf(request)).not.toMatch(/^keep-alive:/im);
        if ("Set-Cookie" in headers) expect(headOf(request).match(/^set-cookie: [ab]=/gim)).toHaveLength(2);
        expect(connection.isClosing).toBe(true);
      }
    });

    test(`${way}: of several in progress, only the last one's`, () => {
      for (const headers of sayings) {
        const connection = new Connection(new Socket(), 0);
        const [first, last] = [begin(connection), begin(connection)];
        for (const request of [first, last]) makeGuardHead(rules({ ends: () => true }))(request);
        answer(first.response as ServerResponse, headers);
        expect([connectionsIn(first), connection.closing]).toEqual([["connection: keep-alive"], false]);
        answer(last.response as ServerResponse, headers);
        expect([connectionsIn(last), connection.isClosing]).toEqual([["connection: close"], true]);
      }
    });
  }

  for (const [way, answer] of Object.entries(ways)) {
    test(`${way}: names the request, once, unless the app does`, () => {
      for (const headers of sayings) {
        const request = begin(new Connection(new Socket(), 0));
        makeGuardHead(rules({ requestIdHeader: "X-Request-Id" }))(request);
        answer(request.response as ServerResponse, headers);
        expect(headOf(request).match(/^x-request-id: .*$/gim)).toEqual([`X-Request-Id: ${request.id}`]);
        expect(connectionsIn(request)).toHaveLength(1);
        const own = begin(new Connection(new Socket(), 0));
        makeGuardHead(rules({ requestIdHeader: "X-Request-Id", server: "us" }))(own);
        answer(own.response as ServerResponse, { ...headers, "x-REQUEST-id": "the app's" });
        expect(headOf(own).match(/^x-request-id: .*$/gim)).toEqual(["x-REQUEST-id: the app's"]);
      }
    });
  }

  test("an app's own close waits for the last answer in progress", () => {
    const connection = new Connection(new Socket(), 0);
    const [first, last] = [begin(connection), begin(connection)];
    for (const request of [first, last]) makeGuardHead(rules())(request);
    first.response?.writeHead(200, { Connection: "close" }).end();
    last.response?.writeHead(200).end();
    expect([connectionsIn(first), connectionsIn(last)]).toEqual([["connection: keep-alive"], ["connection: close"]]);
  });

  test("a switch of protocols is left as it is", () => {
    const request = begin(new Connection(new Socket(), 0));
    makeGuardHead(rules({ ends: () => true, server: "us" }))(request);
    request.response?.writeHead(101, { Connection: "Upgrade", Upgrade: "x" });
    expect([connectionsIn(request), headOf(request).includes("us")]).toEqual([["connection: upgrade"], false]);
  });

  test.each([
    ["GET", 200, {}, "x", true],
    ["GET", 200, { "content-type": "text/own" }, "x", false],
    ["GET", 200, {}, "", false],
    ["GET", 204, {}, undefined, false],
    ["GET", 304, {}, undefined, false],
    ["HEAD", 200, {}, undefined, false],
  ] as const)("%s %d %j with the body %j: our content type: %s", (method, status, headers, body, expected) => {
    const request = begin(new Connection(new Socket(), 0), method);
    makeGuardHead(rules({ server: "us", contentType: "text/ours" }))(request);
    const response = request.response as ServerResponse;
    response.statusCode = status;
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    response.end(body);
    expect(headOf(request).includes("text/ours")).toBe(expected);
    expect(headOf(request)).toMatch(/^server: us\r$/im);
  });

  test("an app's own Server wins", () => {
    const request = begin(new Connection(new Socket(), 0));
    makeGuardHead(rules({ server: "us" }))(request);
    request.response?.writeHead(200, { SERVER: "theirs" }).end();
    expect(headOf(request).match(/^server: .*$/gim)).toEqual(["SERVER: theirs"]);
  });
});

describe("an answer in the place of the app", () => {
  const refusal = { status: 413, reason: "size", message: "too large" } as const;
  const answers = (
    renderError?: ConstructorParameters<typeof OwnAnswers>[0]["renderError"],
    failed: (thrown: unknown) => void = () => undefined,
  ) => new OwnAnswers({ renderError, serverHeader: "us", requestIdHeader: "X-Request-Id", failed });

  test("leaves the app a response that takes everything and throws nothing", () => {
    const request = begin(new Connection(new Socket(), 0));
    const response = request.response as ServerResponse;
    response.setHeader("X-Of-The-App", "1");
    expect(answers().instead(request, refusal)).toBe(true);
    const head = headOf(request);
    expect(head).toMatch(/^HTTP\/1\.1 413 [^]*connection: close/i);
    expect(head).not.toContain("X-Of-The-App");
    response.statusCode = 200;
    response.setHeader("a", "b").setHeader("c", "d");
    response.appendHeader("a", "b");
    response.removeHeader("a");
    expect(response.writeHead(200)).toBe(response);
    response.flushHeaders();
    response.writeContinue();
    expect(response.write("late")).toBe(true);
    expect(response.end("late")).toBe(response);
    expect(response.destroy()).toBe(response);
    expect([response.headersSent, response.writableEnded, response.destroyed, request.status]).toEqual([false, false, false, 413]);
    expect(headOf(request)).toBe(head);
  });

  test("is not given where the app's has begun", () => {
    const request = begin(new Connection(new Socket(), 0));
    request.response?.writeHead(200);
    expect([answers().instead(request, refusal), request.refusal]).toEqual([false, undefined]);
  });

  test("names the request, unless the errors module does", () => {
    expect(answers().last(refusal, "id-1").toString()).toMatch(/^x-request-id: id-1\r$/im);
    const named = answers(({ requestId }) => ({ headers: { "x-request-ID": `own ${requestId}` }, body: "" }));
    expect(
      named
        .last(refusal, "id-1")
        .toString()
        .match(/^x-request-id: .*$/gim),
    ).toEqual(["x-request-ID: own id-1"]);
  });

  test("says what the errors module says, but for the framing", () => {
    const rendered = answers(({ status, code, message }) => ({
      headers: { "X-Own": "1", "Content-Length": "7", Connection: "keep-alive", "Transfer-Encoding": "chunked" },
      body: `${status} ${code} ${message} é`,
    })).last(refusal, "id-1");
    const [head = "", body = ""] = rendered.toString().split("\r\n\r\n");
    expect(body).toBe("413 size too large é");
    expect(head).toMatch(/^x-own: 1$/im);
    expect(head.match(/^(?:content-length|connection|transfer-encoding): .*$/gim)?.map((line) => line.toLowerCase())).toEqual([
      `content-length: ${Buffer.byteLength(body)}`,
      "connection: close",
    ]);
  });

  test.each([
    [
      "throws",
      (): unknown => {
        throw new Error("no");
      },
    ],
    ["gives nothing", () => undefined],
    ["gives a promise", () => Promise.resolve({ body: "x" })],
    ["gives a header that forges another", () => ({ headers: { a: "b\r\nc: d" }, body: "x" })],
    ["gives too much", () => ({ body: "x".repeat(100_000) })],
  ] satisfies readonly (readonly [string, () => unknown])[])(
    "of a module that %s is the built-in one, and told once",
    (_, render: () => unknown) => {
      const told: unknown[] = [];
      const broken = answers(render as never, (thrown) => told.push(thrown));
      for (let n = 0; n < 3; n++) expect(broken.last(refusal, "id-1").toString()).toContain('"statusCode":413');
      expect(told).toHaveLength(1);
    },
  );

  test("an overloaded server says when to come again, and keeps the connection", () => {
    const request = begin(new Connection(new Socket(), 0));
    answers().instead(request, { status: 503, reason: "overload", message: "busy", retryAfterSeconds: 1, keepsConnection: true });
    expect(headOf(request)).toMatch(/^retry-after: 1\r$/im);
    expect(connectionsIn(request)).toEqual(["connection: keep-alive"]);
  });
});
