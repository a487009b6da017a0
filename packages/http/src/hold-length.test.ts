import { createServer, type RequestListener, type ServerResponse } from "node:http";
import { connect } from "node:net";
import { describe, expect, test } from "vitest";
import { makeHoldLength } from "./hold-length.ts";
import { requestKey, type HttpRequest } from "./http-request.ts";

/** What two requests on one connection get, and what was told. */
async function answersOf(handle: (response: ServerResponse) => void, method = "GET"): Promise<{ text: string; told: string[] }> {
  const told: string[] = [];
  const hold = makeHoldLength((_request, error) => told.push(error.message));
  const listener: RequestListener = (request, response) => {
    (response as unknown as Record<symbol, unknown>)[requestKey] = {} as HttpRequest;
    hold(response);
    if (request.url === "/next") response.setHeader("connection", "close").end("next");
    else handle(response);
  };
  const server = createServer(listener).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  const text = await new Promise<string>((resolve) => {
    let received = "";
    const socket = connect(port, "127.0.0.1", () =>
      socket.write(`${method} / HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n`),
    );
    socket
      .on("data", (chunk) => (received += chunk.toString()))
      .on("error", () => undefined)
      .on("close", () => resolve(received));
  });
  server.close();
  return { text, told };
}

const length = (bytes: number): { "content-length": number } => ({ "content-length": bytes });

describe("an answer that is as long as it says is left alone", () => {
  const cases: readonly (readonly [string, (response: ServerResponse) => void])[] = [
    ["in one piece", (response) => response.writeHead(200, length(5)).end("12345")],
    [
      "in pieces",
      (response) => (response.writeHead(200, length(5)), response.write("12"), response.write(Buffer.from("34")), response.end("5")),
    ],
    ["of characters that are several bytes", (response) => response.writeHead(200, length(5)).end("äö1")],
    ["in another encoding", (response) => response.writeHead(200, length(3)).end("äö1", "latin1")],
    ["without a length, at once", (response) => response.end("12345")],
    ["without a length, in pieces", (response) => (response.write("12"), response.end("345"))],
    ["empty", (response) => response.writeHead(200, length(0)).end()],
    ["of a status without a body", (response) => response.writeHead(304, length(5)).end()],
    ["with its head sent before", (response) => (response.writeHead(200, length(5)), response.flushHeaders(), void response.end("12345"))],
  ];
  test.each(cases)("%s", async (_, handle) => {
    const { text, told } = await answersOf(handle);
    expect(text).toMatch(/^HTTP\/1\.1 (?:200|304)[^]*HTTP\/1\.1 200[^]*\r\n\r\nnext$/);
    expect(told).toEqual([]);
  });

  test("to a HEAD, which may say the length of what a GET would give", async () => {
    const { text, told } = await answersOf((response) => response.writeHead(200, length(5)).end(), "HEAD");
    expect(text).toMatch(/\r\n\r\nHTTP\/1\.1 200[^]*next$/);
    expect(told).toEqual([]);
  });
});

describe("nothing comes behind one that is longer", () => {
  const cases: readonly (readonly [string, (response: ServerResponse) => void])[] = [
    ["at once", (response) => response.writeHead(200, length(3)).end("12345HTTP/1.1 200 OK\r\n\r\n")],
    [
      "in a later piece",
      (response) => (response.writeHead(200, length(3)), response.write("123"), response.write("45"), response.end("67")),
    ],
    ["set by header", (response) => response.setHeader("Content-Length", 3).end("12345")],
    ["after a while", (response) => (response.writeHead(200, length(3)).write("12"), void setTimeout(() => response.end("345"), 10))],
  ];
  test.each(cases)("%s", async (_, handle) => {
    const { text, told } = await answersOf(handle);
    // A head has a date, and so whichever digits.
    expect(text.split("\r\n\r\n").slice(1).join()).not.toMatch(/next|45/);
    expect(told).toEqual([expect.stringMatching(/^the app's answer has \d+ bytes or more, but its Content-Length says 3$/)]);
  });

  test("whoever waits for a write to be over is called back", async () => {
    let called = 0;
    await answersOf((response) => {
      response.writeHead(200, length(1));
      response.write("12", () => (called += 1));
      response.write("34", () => (called += 1));
    });
    expect(called).toBe(2);
  });
});

describe("nothing comes behind one that is shorter", () => {
  const cases: readonly (readonly [string, (response: ServerResponse) => void])[] = [
    ["at once", (response) => response.writeHead(200, length(9)).end("12345")],
    ["in pieces", (response) => (response.writeHead(200, length(9)), response.write("12"), response.end("345"))],
    ["without a body", (response) => response.writeHead(200, length(9)).end()],
  ];
  test.each(cases)("%s", async (_, handle) => {
    const { text, told } = await answersOf(handle);
    expect(text).toMatch(/^HTTP\/1\.1 200/);
    expect(text).not.toMatch(/next/);
    expect(told).toEqual([expect.stringMatching(/^the app's answer has [05] bytes, but its Content-Length says 9$/)]);
  });
});
