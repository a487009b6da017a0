import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { describe, expect, test } from "vitest";
import type { Refusal } from "./refusal.ts";
import type { HttpRequest } from "./http-request.ts";
import { OwnAnswers, type ErrorDescription, type ErrorRenderer, type OwnAnswerSettings } from "./own-answer.ts";

const refusal: Refusal = { status: 413, reason: "size", message: "too much" };
const builtIn = '{"statusCode":413,"error":"Payload Too Large","message":"too much"}';

function answersOf(settings: Partial<OwnAnswerSettings> = {}): { readonly answers: OwnAnswers; readonly failures: string[] } {
  const failures: string[] = [];
  const failed = (thrown: unknown): void => void failures.push(String(thrown));
  return {
    failures,
    answers: new OwnAnswers({ renderError: undefined, serverHeader: undefined, requestIdHeader: undefined, failed, ...settings }),
  };
}

interface Answer {
  readonly status: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

function parse(text: string): Answer {
  const [head = "", body = ""] = text.split("\r\n\r\n", 2);
  const [status = "", ...lines] = head.split("\r\n");
  const headers = lines.map((line): [string, string] => [
    line.slice(0, line.indexOf(":")).toLowerCase(),
    line.slice(line.indexOf(":") + 2),
  ]);
  // A header that stands twice would be one of a map.
  expect(new Set(headers.map(([name]) => name)).size).toBe(headers.length);
  return { status, headers: new Map(headers), body };
}
const last = (answers: OwnAnswers, of: Refusal = refusal, id = "id-1"): Answer => parse(answers.last(of, id).toString());

describe("the last bytes of a connection", () => {
  test("are a whole answer that closes it, with a date and the length of its body in bytes", () => {
    const { status, headers, body } = last(answersOf().answers, { ...refusal, message: "zu groß" });
    expect(status).toBe("HTTP/1.1 413 Payload Too Large");
    expect(body).toContain("zu groß");
    expect(headers.get("content-length")).toBe(String(Buffer.byteLength(body)));
    expect(headers.get("connection")).toBe("close");
    expect(Date.parse(headers.get("date") ?? "")).not.toBeNaN();
    expect([...headers.keys()].toSorted()).toEqual(["connection", "content-length", "content-type", "date"]);
  });

  test("name the server, the request and when to come again, where they are told to", () => {
    const { answers } = answersOf({ serverHeader: "mine", requestIdHeader: "X-Id" });
    const { headers } = last(answers, { ...refusal, retryAfterSeconds: 7 });
    expect(Object.fromEntries(headers)).toMatchObject({ server: "mine", "x-id": "id-1", "retry-after": "7" });
  });
});

describe("an errors module", () => {
  test("is told what was wrong and for which request; what it gives is sent, but for what says where the message ends", () => {
    const told: ErrorDescription[] = [];
    const renderError: ErrorRenderer = (error) => {
      told.push(error);
      const headers = {
        "Content-Type": "text/plain",
        "Content-Length": "5000",
        Connection: "keep-alive",
        Date: "never",
        TE: "x",
        "X-Mine": "1",
      };
      return { headers, body: new TextEncoder().encode("mine ß") };
    };
    const { status, headers, body } = last(answersOf({ renderError, serverHeader: "ours" }).answers);
    expect(told).toEqual([{ status: 413, code: "size", message: "too much", requestId: "id-1" }]);
    expect(status).toBe("HTTP/1.1 413 Payload Too Large");
    expect(body).toBe("mine ß");
    expect(Object.fromEntries(headers)).toMatchObject({
      "content-type": "text/plain",
      "content-length": "7",
      connection: "close",
      "x-mine": "1",
    });
    expect(headers.get("date")).not.toBe("never");
    expect(headers.has("te")).toBe(false);
  });

  test("may name the server and the request itself, however it writes their names", () => {
    const renderError: ErrorRenderer = () => ({ headers: { sErVeR: "theirs", "x-ID": "their id" }, body: "" });
    const { headers } = last(answersOf({ renderError, serverHeader: "ours", requestIdHeader: "X-Id" }).answers);
    expect(Object.fromEntries(headers)).toMatchObject({ server: "theirs", "x-id": "their id", "content-length": "0" });
  });

  test.each<[string, () => unknown]>([
    ["throws", () => { throw new Error("broken"); }], // prettier-ignore
    ["throws nothing much", () => { throw undefined; }], // prettier-ignore
    ["gives nothing", () => undefined],
    ["gives null", () => null],
    ["gives a text", () => "text"],
    ["gives a promise", () => Promise.resolve({ body: "late" })],
    [
      "gives an endless list of headers",
      () => ({ headers: Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [`x-${n}`, "v"])), body: "" }),
    ],
    ["gives an endless header", () => ({ headers: { "x-a": "v".repeat(16_385) }, body: "" })],
    ["gives a header of which one value splits the answer", () => ({ headers: { "X-A": ["1", "2\r\nX-B: 3"] }, body: "" })],
    ["gives a header of numbers", () => ({ headers: { "X-A": [undefined] }, body: "" })],
    ["has a getter that throws", () => ({ get headers() { throw new Error("got"); }, body: "" })], // prettier-ignore
    ["gives no body", () => ({ headers: {} })],
    ["gives a number for a body", () => ({ body: 5 })],
    ["gives an endless text", () => ({ body: "x".repeat(65_537) })],
    ["gives endless bytes", () => ({ body: new Uint8Array(65_537) })],
    ["gives a header that splits the answer", () => ({ headers: { "X-A": "1\r\n\r\nGET /evil" }, body: "" })],
    ["gives a name that is none", () => ({ headers: { "X A": "1" }, body: "" })],
    ["gives a header without a value", () => ({ headers: { "X-A": undefined }, body: "" })],
  ])("that %s is told of once; the built-in answer is sent each time", (_, renderError) => {
    const { answers, failures } = answersOf({ renderError: renderError as unknown as ErrorRenderer });
    for (let n = 0; n < 3; n++) expect(last(answers)).toMatchObject({ body: builtIn });
    expect(failures).toHaveLength(1);
  });

  test.each<[string, () => unknown]>([
    ["a promise that is rejected", () => Promise.reject(new Error("late"))],
    ["a promise that is rejected later", () => new Promise((_, reject) => setImmediate(() => reject(new Error("late"))))],
    [
      "another library's promise",
      () => ({ then: (_: unknown, reject: (error: Error) => void) => setImmediate(() => reject(new Error("late"))) }),
    ],
    ["a promise that never comes", () => new Promise(() => {})],
  ])("that gives %s ends nothing: nobody waits for it", async (_, renderError) => {
    const unhandled: unknown[] = [];
    const note = (error: unknown): void => void unhandled.push(error);
    process.on("unhandledRejection", note);
    try {
      const { answers, failures } = answersOf({ renderError: renderError as unknown as ErrorRenderer });
      for (let n = 0; n < 3; n++) expect(last(answers)).toMatchObject({ body: builtIn });
      for (let n = 0; n < 3; n++) await new Promise((resolve) => setImmediate(resolve));
      expect(failures).toEqual([expect.stringContaining("a promise, which is not waited for")]);
      expect(unhandled).toEqual([]);
    } finally {
      process.off("unhandledRejection", note);
    }
  });

  test("may give a header several values: each has its line", async () => {
    const renderError: ErrorRenderer = () => ({ headers: { "Set-Cookie": ["a=1", "b=2"] }, body: "" });
    const { answers } = answersOf({ renderError });
    expect(answers.last(refusal, "id-1").toString()).toContain("Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n");
  });

  test("that fails may succeed the next time", () => {
    let calls = 0;
    const renderError: ErrorRenderer = () => {
      calls += 1;
      if (calls === 1) throw new Error("once");
      return { body: "mine" };
    };
    const { answers } = answersOf({ renderError });
    expect([last(answers).body, last(answers).body]).toEqual([builtIn, "mine"]);
  });
});

/** What a client gets that asks twice over one connection, of which the first is answered in the place of the app. */
async function asked(refused: Refusal, listener: (request: HttpRequest, answer: () => boolean) => void): Promise<readonly Answer[]> {
  const { answers } = answersOf();
  const app: RequestListener = (incoming, response) => {
    if (incoming.url !== "/first") return void response.end("second");
    const request = { incoming, response, id: "id-1" } as unknown as HttpRequest;
    return listener(request, () => answers.instead(request, refused));
  };
  const server = createServer(app);
  await once(server.listen(0, "127.0.0.1"), "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  client.write("GET /first HTTP/1.1\r\nHost: a\r\n\r\nGET /second HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  let text = "";
  client.on("data", (chunk) => (text += chunk.toString()));
  await once(client, "close");
  server.close();
  return text.split(/(?=HTTP\/1\.1 )/).map(parse);
}

describe("an answer in the place of the app", () => {
  test("closes the connection, or leaves it, as the refusal has it; nothing that the app had set is left", async () => {
    const refuse =
      (isSet: boolean) =>
      ({ response }: HttpRequest, answer: () => boolean): void => {
        if (isSet) response?.setHeader("X-App", "1").setHeader("Content-Length", "9999").setHeader("Content-Encoding", "gzip");
        expect(answer()).toBe(true);
      };
    const closed = await asked(refusal, refuse(true));
    expect(closed.map(({ body }) => body)).toEqual([builtIn]);
    expect(closed[0]?.headers.get("connection")).toBe("close");
    expect(closed[0]?.headers.has("x-app")).toBe(false);
    expect(closed[0]?.headers.has("content-encoding")).toBe(false);
    const kept = await asked({ ...refusal, keepsConnection: true }, refuse(false));
    expect(kept.map(({ body }) => body)).toEqual([builtIn, "second"]);
  });

  test("goes past what a middleware has put in the place of the response's methods", async () => {
    const [answer] = await asked(refusal, ({ response }, send) => {
      const never = (): never => expect.unreachable();
      Object.assign(response as ServerResponse, { writeHead: never, end: never, write: never });
      send();
    });
    expect(answer?.body).toBe(builtIn);
  });

  test("is not sent where the app's has begun, or is over, or there is none to send", async () => {
    const [begun] = await asked(refusal, ({ response }, send) => {
      response?.writeHead(200, { "Content-Length": 3, Connection: "close" });
      expect(send()).toBe(false);
      response?.end("own");
      expect(send()).toBe(false);
    });
    expect(begun?.body).toBe("own");
    expect(answersOf().answers.instead({ response: undefined } as unknown as HttpRequest, refusal)).toBe(false);
  });

  test("is given once, whoever asks for it again", async () => {
    const [answer, ...more] = await asked(refusal, ({ incoming }, send) => {
      expect([send(), send()]).toEqual([true, false]);
      incoming.socket.once("close", () => expect(send()).toBe(false));
    });
    expect([answer?.body, more]).toEqual([builtIn, []]);
  });

  test("takes whatever the app does with the response later, and calls those back who wait", async () => {
    const calledBack: string[] = [];
    const late = (response: ServerResponse): void => {
      const back = (name: string) => (): void => void calledBack.push(name);
      expect(response.headersSent).toBe(false);
      expect(response.writableEnded).toBe(false);
      expect(response.setHeader("X-Late", "1").setHeaders(new Headers()).appendHeader("X-Late", "2").writeHead(200)).toBe(response);
      response.removeHeader("X-Late");
      response.flushHeaders();
      response.addTrailers({ a: "b" });
      response.writeContinue(back("continue"));
      response.writeEarlyHints({ link: "</a>" }, back("hints"));
      expect(response.write("late", back("write"))).toBe(true);
      expect(response.write("late", "utf8", back("write with encoding"))).toBe(true);
      expect(response.end("late", back("end"))).toBe(response);
      expect(response.destroy()).toBe(response);
    };
    const [answer, ...more] = await asked(refusal, ({ response, incoming }, send) => {
      send();
      late(response as ServerResponse);
      (incoming as IncomingMessage).socket.once("close", () => late(response as ServerResponse));
    });
    expect(answer?.body).toBe(builtIn);
    expect(more).toEqual([]);
    const names = ["continue", "end", "hints", "write", "write with encoding"];
    expect(calledBack.toSorted()).toEqual(names.flatMap((name) => [name, name]));
  });
});
