import { once } from "node:events";
import { connect, createServer, type ClientHttp2Session, type IncomingHttpHeaders, type ServerOptions } from "node:http2";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { StreamRequest, StreamResponse } from "./stream-messages.ts";

type Handler = (request: StreamRequest, response: StreamResponse) => void;

let handler: Handler = () => undefined;
let session: ClientHttp2Session;
const server = createServer({
  Http2ServerRequest: StreamRequest as unknown as NonNullable<ServerOptions["Http2ServerRequest"]>,
  Http2ServerResponse: StreamResponse as unknown as NonNullable<ServerOptions["Http2ServerResponse"]>,
});

beforeAll(async () => {
  server.on("request", (request, response) => handler(request as unknown as StreamRequest, response as unknown as StreamResponse));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});

afterAll(() => {
  session.destroy();
  server.close();
});

interface Answer {
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders | undefined;
  readonly body: string;
  /** Whether the head was all there is. */
  readonly isHeadAlone: boolean;
}

async function ask(answer: Handler, method = "GET"): Promise<Answer> {
  handler = answer;
  const stream = session.request({ ":path": "/", ":method": method });
  let trailers: IncomingHttpHeaders | undefined;
  stream.on("trailers", (given: IncomingHttpHeaders) => (trailers = given));
  const [headers, flags] = (await once(stream, "response")) as [IncomingHttpHeaders, number];
  let body = "";
  for await (const part of stream) body += String(part);
  return { headers, trailers, body, isHeadAlone: (flags & 1) === 1 };
}

describe("an answer over HTTP/2 is whole", () => {
  const long = "x".repeat(300_000);
  const answers: readonly (readonly [
    string,
    Handler,
    { readonly body: string; readonly trailer?: string; readonly isHeadAlone?: boolean },
  ])[] = [
    ["its end alone", (_, response) => response.end(), { body: "", isHeadAlone: true }],
    ["an end with a body", (_, response) => response.end("ok"), { body: "ok" }],
    ["an empty body", (_, response) => response.end(""), { body: "" }],
    ["a body of many frames", (_, response) => response.end(long), { body: long }],
    ["an end with a callback alone", (_, response) => response.end(() => undefined), { body: "", isHeadAlone: true }],
    ["a head with the length, and the body", (_, response) => response.writeHead(200, { "Content-Length": 2 }).end("ok"), { body: "ok" }],
    [
      "a head, and the body later",
      (_, response) => void setImmediate((head: StreamResponse) => head.end("ok"), response.writeHead(200)),
      { body: "ok" },
    ],
    ["parts, and an end", (_, response) => void (response.write("o"), response.write("k"), response.end()), { body: "ok" }],
    [
      "parts, and trailers",
      (_, response) => void (response.write("ok"), response.addTrailers({ sum: "1" }), response.end()),
      { body: "ok", trailer: "1" },
    ],
    [
      "trailers before an end with a body",
      (_, response) => void (response.addTrailers({ sum: "1" }), response.end("ok")),
      { body: "ok", trailer: "1" },
    ],
    [
      "trailers before an end alone",
      (_, response) => void (response.addTrailers({ sum: "1" }), response.end()),
      { body: "", trailer: "1" },
    ],
    [
      "a head without the length, and trailers",
      (_, response) => void (response.writeHead(200), response.addTrailers({ sum: "1" }), response.end("ok")),
      { body: "ok", trailer: "1" },
    ],
    [
      "a head that names trailers beside the length",
      (_, response) =>
        void (response.writeHead(200, { "content-length": "2", trailer: "sum" }), response.addTrailers({ sum: "1" }), response.end("ok")),
      { body: "ok", trailer: "1" },
    ],
    [
      "trailers after a head with the length, which HTTP/1 leaves out, too",
      (_, response) => void (response.writeHead(200, { "content-length": "2" }), response.addTrailers({ sum: "1" }), response.end("ok")),
      { body: "ok" },
    ],
  ];
  test.each(answers)("%s", async (_name, answer, { body, trailer, isHeadAlone = false }) => {
    const given = await ask(answer);
    expect([given.body === body, given.trailers?.["sum"], given.isHeadAlone]).toEqual([true, trailer, isHeadAlone]);
  });

  const withoutBody: readonly (readonly [string, Handler, string])[] = [
    ["204", (_, response) => response.writeHead(204).end(), "GET"],
    ["304, though the app gives a body", (_, response) => response.writeHead(304).end("x"), "GET"],
    ["HEAD", (_, response) => response.writeHead(200, { "content-length": "2" }).end("ok"), "HEAD"],
    ["HEAD without a head of the app's", (_, response) => response.end("ok"), "HEAD"],
  ];
  test.each(withoutBody)("without a body: %s", async (_name, answer, method) => {
    expect((await ask(answer, method)).body).toBe("");
  });
});

describe("a head over HTTP/2", () => {
  const forms: readonly (readonly [string, unknown])[] = [
    ["an object", { "X-One": "1", "X-Two": ["a", "b"] }],
    [
      "pairs",
      [
        ["X-One", "1"],
        ["X-Two", "a"],
        ["X-Two", "b"],
      ],
    ],
    ["names and values in turn", ["X-One", "1", "X-Two", "a", "X-Two", "b"]],
  ];
  test.each(forms)("is taken as %s, over what was set before", async (_name, headers) => {
    const { headers: seen } = await ask((_, response) => {
      response.setHeader("x-one", "0");
      response.setHeader("x-kept", "k");
      response.writeHead(201, "Created", headers).end();
    });
    expect(seen).toMatchObject({ ":status": 201, "x-one": "1", "x-two": "a, b", "x-kept": "k" });
  });

  const heads: readonly (readonly [string, Record<string, unknown>])[] = [
    ["nothing", {}],
    ["a text", { "x-a": "1" }],
    ["upper case", { "X-Upper": "1", "CONTENT-Type": "a/b" }],
    ["a number", { "x-number": 7 }],
    ["nothing for a name", { "x-none": undefined, "x-a": "1" }],
    ["several values", { "set-cookie": ["a=1", "b=2"], "x-list": ["1", "2"] }],
    ["headers of the connection", { Connection: "close", "transfer-encoding": "chunked", "x-a": "1" }],
    ["blanks around a name", { " x-blank ": "1" }],
    ["a name with a blank", { "x a": "1" }],
    ["a name with another character", { "x(a": "1" }],
    ["no name", { "": "1" }],
    ["null", { "x-null": null }],
    ["a pseudo-header", { ":path": "/" }],
    ["the same name twice", { "x-twice": "1", "X-Twice": "2" }],
  ];
  test.each(heads)("says the same whether or not something was set before: %s", async (_name, head) => {
    const outcomeOf = async (before: boolean): Promise<unknown> => {
      let thrown: unknown;
      const { headers } = await ask((_, response) => {
        response.on("error", () => undefined);
        response.stream.on("error", () => undefined);
        if (before) response.setHeader("x-before", "1");
        try {
          response.writeHead(200, head as Record<string, string>).end();
        } catch (error) {
          thrown = (error as NodeJS.ErrnoException).code;
          if (!response.stream.destroyed && !response.stream.closed) response.stream.respond({ ":status": 500 }, { endStream: true });
        }
      }).catch((error: unknown) => ({ headers: { failed: String(error) } as IncomingHttpHeaders }));
      const { date: _date, "x-before": _before, ...rest } = headers;
      return { thrown, rest };
    };
    expect(await outcomeOf(false)).toEqual(await outcomeOf(true));
  });

  test("has a date unless the app says otherwise", async () => {
    expect((await ask((_, response) => response.end())).headers["date"]).toMatch(/GMT$/);
    const without: Handler = (_, response) => {
      response.sendDate = false;
      response.end();
    };
    expect((await ask(without)).headers["date"]).toBeUndefined();
    expect((await ask((_, response) => response.writeHead(200, { date: "then" }).end())).headers["date"]).toBe("then");
  });

  test("is sent once: a second one throws, as of HTTP/1", async () => {
    let thrown: unknown;
    await ask((_, response) => {
      response.writeHead(200);
      try {
        response.writeHead(500);
      } catch (error) {
        thrown = error;
      }
      response.end();
    });
    expect(thrown).toMatchObject({ code: "ERR_HTTP2_HEADERS_SENT" });
  });

  test("has the defaults where the app says nothing, a type only with a body", async () => {
    const defaults = { server: "ours", contentType: "text/plain", requestIdHeader: "X-Request-Id" };
    const given = async (answer: Handler): Promise<unknown[]> => {
      const { headers } = await ask((request, response) => {
        response.defaults = defaults;
        response.tracked = { id: "id-1" };
        answer(request, response);
      });
      return [headers["server"], headers["content-type"], headers["x-request-id"]];
    };
    expect(await given((_, response) => response.end("ok"))).toEqual(["ours", "text/plain", "id-1"]);
    expect(await given((_, response) => response.end())).toEqual(["ours", undefined, "id-1"]);
    expect(await given((_, response) => response.writeHead(200, { "content-length": "0" }).end())).toEqual(["ours", undefined, "id-1"]);
    expect(
      await given((_, response) => response.writeHead(200, { Server: "theirs", "Content-Type": "a/b", "x-request-id": "2" }).end("ok")),
    ).toEqual(["theirs", "a/b", "2"]);
  });
});

describe("the server learns once that a stream has closed, and that it was taken back,", () => {
  const ways: readonly (readonly [string, string, Handler | undefined, boolean])[] = [
    ["an answer", "GET", (_, response) => response.end("ok"), false],
    ["an answer to HEAD", "HEAD", (_, response) => response.end(), false],
    ["a reset before the answer", "GET", undefined, true],
    ["a reset in the middle of the answer", "GET", (_, response) => void response.write("x"), true],
    ["a reset in the middle of a body", "POST", undefined, true],
  ];
  test.each(ways)("after %s, whatever listeners the app takes off", async (_name, method, answer, isTakenBack) => {
    let [closed, takenBack] = [0, 0];
    const begun = new Promise<void>((resolve) => {
      handler = (request, response) => {
        response.whenClosed = () => (closed += 1);
        request.whenTakenBack = () => (takenBack += 1);
        response.removeAllListeners();
        request.removeAllListeners("aborted");
        answer?.(request, response);
        resolve();
      };
    });
    const stream = session.request({ ":path": "/", ":method": method }, { endStream: method !== "POST" });
    stream.on("error", () => undefined);
    stream.resume();
    await begun;
    if (isTakenBack) stream.close(8);
    await once(stream, "close");
    // The answer to a ping comes after what was told of the stream.
    await new Promise<void>((resolve) => void session.ping(() => resolve()));
    await expect.poll(() => [closed, takenBack]).toEqual([1, isTakenBack ? 1 : 0]);
  });
});

describe("a value that no client takes", () => {
  const ways: Readonly<Record<string, (response: StreamResponse, value: string) => void>> = {
    setHeader: (response, value) => void response.setHeader("x-text", value),
    "setHeader, in a list": (response, value) => void response.setHeader("x-text", ["well", value]),
    appendHeader: (response, value) => void response.appendHeader("x-text", value),
    setHeaders: (response, value) => void response.setHeaders(new Map([["x-text", value]])),
    writeHead: (response, value) => void response.writeHead(200, { "x-text": value }),
    "writeHead, beside what was set": (response, value) => void response.setHeader("a", "b").writeHead(200, { "x-text": value }),
    "writeHead, as a list": (response, value) => void response.writeHead(200, ["x-text", value] as unknown as Record<string, string>),
    "writeHead, as pairs": (response, value) => void response.writeHead(200, [["x-text", value]] as unknown as Record<string, string>),
    addTrailers: (response, value) => response.addTrailers({ "x-text": value }),
  };
  const cells = Object.entries(ways).flatMap(([way, use]) =>
    ["a\0b", "a\0evil\0b\0", "a\r\nevil: b", "a\nb", "\x01", "a\x7f"].map((value) => [way, value, use] as const),
  );

  test.each(cells)("is an error, as of HTTP/1, and no reset: %s, %j", async (_way, value, use) => {
    let thrown: unknown;
    const { headers } = await ask((_, response) => {
      try {
        use(response, value);
      } catch (error) {
        thrown = error;
      }
      response.writeHead(500).end();
    });
    expect([thrown, headers[":status"], headers["x-text"]]).toEqual([
      expect.objectContaining({ code: "ERR_INVALID_CHAR" }),
      500,
      undefined,
    ]);
  });

  test("of early hints is an error, too", async () => {
    let thrown: unknown;
    await ask((_, response) => {
      try {
        response.writeEarlyHints({ link: "</a>; rel=preload", "x-text": "a\0b" });
      } catch (error) {
        thrown = error;
      }
      response.end();
    });
    expect(thrown).toMatchObject({ code: "ERR_INVALID_CHAR" });
  });

  test.each(Object.entries(ways))("but for blanks at its ends, which HTTP/1 takes off, too: %s", async (way, use) => {
    const { headers, trailers } = await ask((_, response) => {
      use(response, "\t a b ");
      response.end();
    });
    expect((way === "addTrailers" ? trailers : headers)?.["x-text"]).toBe(way.includes("in a list") ? "well, a b" : "a b");
  });
});
