import { once } from "node:events";
import { connect, createServer, Http2ServerRequest, Http2ServerResponse, type ClientHttp2Session, type ServerOptions } from "node:http2";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { StreamRequest, StreamResponse } from "./stream-messages.ts";

type App = (events: string[], request: Http2ServerRequest, response: Http2ServerResponse) => void;

const kinds = ["node's", "ours"] as const;
type Kind = (typeof kinds)[number];
let app: App = () => undefined;
interface Seen {
  readonly events: string[];
  readonly request: Http2ServerRequest;
  readonly response: Http2ServerResponse;
}

/** The request in progress. */
const seen: Seen[] = [];
const sessions = new Map<Kind, ClientHttp2Session>();
const ends: (() => void)[] = [];

beforeAll(async () => {
  for (const kind of kinds) {
    const ours = { Http2ServerRequest: StreamRequest, Http2ServerResponse: StreamResponse } as unknown as ServerOptions;
    const server = createServer(kind === "ours" ? ours : {});
    server.on("request", (request, response) => {
      const events: string[] = [];
      seen.push({ events, request, response });
      app(events, request, response);
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    sessions.set(kind, session);
    ends.push(() => (session.destroy(), server.close()));
  }
});

afterAll(() => {
  for (const end of ends) end();
});

/** Asks, with a body or without, and tells what was heard and what is true of all when the stream has closed. */
async function ask(kind: Kind, answer: App, { body, resets }: { body?: string; resets?: boolean }) {
  app = answer;
  seen.length = 0;
  const stream = (sessions.get(kind) as ClientHttp2Session).request({ ":path": "/", ":method": body === undefined ? "GET" : "POST" });
  stream.on("error", () => undefined);
  let text = "";
  stream.on("data", (chunk) => (text += String(chunk)));
  stream.end(body);
  if (resets === true) {
    await expect.poll(() => seen).toHaveLength(1);
    stream.close(8);
  }
  await once(stream, "close");
  const { request, response, events } = seen[0] as Seen;
  const answered = response.stream;
  await expect.poll(() => answered.destroyed && response.socket === undefined).toBe(true);
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  const { readableEnded, readable, aborted } = request;
  const { closed, writableEnded, rstCode } = answered;
  return { text, events, readableEnded, readable, aborted, closed, writableEnded, rstCode };
}

function hear(events: string[], of: string, emitter: NodeJS.EventEmitter, names: readonly string[]): void {
  for (const name of names) emitter.on(name, () => events.push(`${of} ${name}`));
}

const apps: Readonly<Record<string, App>> = {
  "answers at once": (_events, _request, response) => response.end("ok"),
  "answers without a body": (_events, _request, response) => response.end(),
  "answers later": (_events, _request, response) => void setImmediate(() => response.end("ok")),
  "answers in pieces": (_events, _request, response) => {
    response.write("o");
    setImmediate(() => response.end("k"));
  },
  "answers with much": (_events, _request, response) => response.end("x".repeat(300_000)),
  "hears of its end's callback": (events, _request, response) => response.end("ok", () => events.push("callback")),
  "hears of the request": (events, request, response) => {
    hear(events, "request", request, ["end", "close", "aborted"]);
    response.end("ok");
  },
  "hears of the request when it has answered": (events, request, response) => {
    response.end("ok");
    hear(events, "request", request, ["end", "close", "aborted"]);
  },
  "hears of the answer": (events, _request, response) => {
    hear(events, "response", response, ["finish", "close"]);
    response.end("ok");
  },
  "hears of the stream": (events, _request, response) => {
    hear(events, "stream", response.stream, ["end", "close", "aborted"]);
    response.end("ok");
  },
  "reads, and then answers": (events, request, response) => {
    request.on("data", (chunk) => events.push(`data ${String(chunk)}`)).on("end", () => (events.push("end"), response.end("ok")));
  },
  "reads, and then answers with a callback": (events, request, response) => {
    request.resume().on("end", () => response.end("ok", () => events.push("callback")));
  },
  "answers, and then reads": (events, request, response) => {
    response.end("ok");
    hear(events, "request", request, ["end"]);
    request.resume();
  },
  "reads the stream itself": (events, _request, response) => {
    response.stream.on("data", (chunk) => events.push(`data ${String(chunk)}`)).on("end", () => events.push("end"));
    response.end("ok");
  },
  "awaits the whole of it": (events, request, response) => {
    void (async () => {
      for await (const chunk of request) events.push(`data ${String(chunk)}`);
      events.push("whole");
      response.end("ok");
    })().catch(() => events.push("failed"));
  },
  "pauses it where nothing comes": (_events, request, response) => {
    if (request.method === "GET") request.pause();
    response.end("ok");
  },
};

describe("what an app hears of a stream, and what is true when it has closed, is what Node tells", () => {
  for (const [name, each] of Object.entries(apps))
    for (const body of [undefined, "body"])
      test(`an app that ${name}, ${body === undefined ? "without" : "with"} a body`, async () => {
        const [nodes, ours] = [await ask("node's", each, { ...(body && { body }) }), await ask("ours", each, { ...(body && { body }) })];
        expect(ours).toEqual(nodes);
      });
});

const waiting: Readonly<Record<string, App>> = {
  "does nothing": () => undefined,
  "hears of all": (events, request, response) => {
    hear(events, "request", request, ["end", "close", "aborted"]);
    hear(events, "response", response, ["close"]);
  },
};

describe("a client that takes a stream without a body back", () => {
  for (const [name, each] of Object.entries(waiting))
    test(`the app ${name}`, async () => {
      expect(await ask("ours", each, { resets: true })).toEqual(await ask("node's", each, { resets: true }));
    });
});

describe("a time that is set is told of, wherever it is set and heard", () => {
  const setters: Readonly<Record<string, (request: Http2ServerRequest, response: Http2ServerResponse, told: () => void) => void>> = {
    "of the request": (request, _response, told) => request.setTimeout(20, told),
    "of the answer": (_request, response, told) => response.setTimeout(20, told),
    "of the stream": (_request, response, told) => response.stream.setTimeout(20, told),
    "when the answer has ended": (_request, response, told) => (response.write("x"), response.stream.setTimeout(20, told)),
    "again, after it was called off": (request, _response, told) => (request.setTimeout(0), request.setTimeout(20, told)),
  };
  for (const [name, set] of Object.entries(setters))
    for (const kind of kinds)
      test(`${name} (${kind})`, async () => {
        const answer: App = (events, request, response) => {
          hear(events, "request", request, ["timeout"]);
          hear(events, "response", response, ["timeout"]);
          set(request, response, () => (events.push("callback"), response.stream.setTimeout(0), response.end()));
        };
        const { events } = await ask(kind, answer, {});
        expect(events).toEqual(["request timeout", "response timeout", "callback"]);
      });

  test("without one, nobody is told", async () => {
    const answer: App = (events, request, response) => {
      hear(events, "request", request, ["timeout"]);
      void sleep(30).then(() => response.end());
    };
    expect((await ask("ours", answer, {})).events).toEqual([]);
  });
});

test("listeners for what Node counts are told of, before and after", async () => {
  const answer: App = (events, _request, response) => {
    const heard: string[] = [];
    response.stream.on("newListener", (name) => heard.push(String(name)));
    response.stream.on("frameError", () => undefined);
    response.end("ok");
    response.stream.once("close", () => events.push(...heard.filter((each) => each === "frameError")));
  };
  expect((await ask("ours", answer, {})).events).toEqual(["frameError"]);
});
