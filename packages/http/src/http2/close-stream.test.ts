import { once } from "node:events";
import {
  connect,
  constants,
  createServer,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type ServerHttp2Stream,
  type ServerOptions,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { finished } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { StreamRequest, StreamResponse } from "./stream-messages.ts";

type App = (request: StreamRequest, response: StreamResponse) => void;

let app: App = () => undefined;
const server = createServer({
  Http2ServerRequest: StreamRequest as unknown as NonNullable<ServerOptions["Http2ServerRequest"]>,
  Http2ServerResponse: StreamResponse as unknown as NonNullable<ServerOptions["Http2ServerResponse"]>,
});

beforeAll(async () => {
  server.on("request", (request, response) => app(request as unknown as StreamRequest, response as unknown as StreamResponse));
  await once(server.listen(0, "127.0.0.1"), "listening");
});

afterAll(() => {
  server.close();
});

function open(): ClientHttp2Session {
  const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  return session.on("error", () => undefined);
}

/** Opens a stream whose answer nobody has begun to read. */
function ask(session: ClientHttp2Session, method: string, isWhole: boolean): ClientHttp2Stream {
  const stream = session.request({ ":path": "/", ":method": method }, { endStream: method === "GET" });
  stream.on("error", () => undefined);
  if (method === "POST" && isWhole) stream.end("body");
  else if (method === "POST") stream.write("bo");
  return stream;
}

/** How an app treats the request before it answers. */
const readers: Readonly<Record<string, (request: StreamRequest, answer: () => void) => void>> = {
  "does not read": (_, answer) => answer(),
  "has read": (request, answer) => void request.resume().on("end", answer),
  "has read the stream itself": ({ stream }, answer) => void stream.resume().on("end", answer),
  "reads while it answers": (request, answer) => (request.resume(), answer()),
  "reads when it has answered": (request, answer) => (answer(), request.resume()),
};

describe("an answer has finished when its stream has closed", () => {
  const long = "x".repeat(1_000_000);
  const answers: Readonly<Record<string, (response: StreamResponse) => void>> = {
    "no body": (response) => response.end(),
    "a body": (response) => response.end("ok"),
    "a long body": (response) => response.end(long),
    "a body in pieces": (response) => (response.write("o"), setImmediate(() => response.end("k"))),
    trailers: (response) => (response.write("ok"), response.addTrailers({ "x-a": "b" }), response.end()),
  };
  for (const method of ["GET", "POST"])
    for (const [reading, read] of Object.entries(readers))
      for (const [what, answer] of Object.entries(answers))
        test(`${method}, an app that ${reading}, ${what}`, async () => {
          const session = open();
          const told = new Promise((resolve) => {
            app = (request, response) => {
              const heard: string[] = [];
              response.stream.on("finish", () => heard.push("stream finish"));
              finished(response.stream, (error) => heard.push(error === undefined || error === null ? "stream over" : String(error)));
              response.on("finish", () => heard.push(`finish ${response.writableFinished}`));
              response.on("close", () => {
                heard.push(`close ${response.writableFinished}`);
                setImmediate(() => resolve([...new Set(heard)].toSorted()));
              });
              read(request, () => answer(response));
            };
          });
          ask(session, method, true).resume();
          expect(await told).toEqual(["close true", "finish true", "stream finish", "stream over"]);
          session.destroy();
        });
});

describe("a stream that its client takes back, or whose client goes, closes, and its answer has not finished", () => {
  const ways: Readonly<Record<string, (session: ClientHttp2Session, stream: ClientHttp2Stream) => void>> = {
    "without an error": (_, stream) => stream.close(constants.NGHTTP2_NO_ERROR),
    "with an error": (_, stream) => stream.close(constants.NGHTTP2_CANCEL),
    "the client goes": (session) => session.destroy(),
  };
  /** More than the window of a stream: the rest can't leave. */
  const long = "x".repeat(1_000_000);
  const answers: Readonly<Record<string, (response: StreamResponse) => void>> = {
    "nothing of an answer": () => undefined,
    "a piece of it": (response) => response.write("x"),
    "more than can leave": (response) => response.write(long),
    "all of it": (response) => response.end(long),
    "all of it, and trailers": (response) => (response.addTrailers({ "x-a": "b" }), response.end(long)),
  };
  const bodies = { "GET, ": ["GET", true], "a whole POST, ": ["POST", true], "half a POST, ": ["POST", false] } as const;
  for (const [way, takeBack] of Object.entries(ways))
    for (const [which, [method, isWhole]] of Object.entries(bodies))
      for (const [reading, read] of Object.entries(readers))
        for (const [what, answer] of Object.entries(answers)) {
          if (!isWhole && reading.startsWith("has read")) continue;
          test(`${which}${way}, an app that ${reading}, ${what}`, async () => {
            const session = open();
            let answering = (_response: StreamResponse): void => undefined;
            const answered = new Promise<StreamResponse>((resolve) => (answering = resolve));
            const closed = new Promise((resolve) => {
              app = (request, response) => {
                request.on("error", () => undefined);
                response.on("close", () => resolve(response.writableFinished));
                read(request, () => (answer(response), answering(response)));
              };
            });
            const stream = ask(session, method, isWhole);
            const { stream: answeredStream } = await answered;
            // What was written before this has been taken in by nghttp2.
            await new Promise<void>((resolve) => void session.ping(() => resolve()));
            const gone = answeredStream.destroyed || once(answeredStream, "close");
            takeBack(session, stream);
            expect(await closed).toBe(false);
            await gone;
            session.destroy();
          });
        }
});

describe("a request is whole if all of it has come, however its stream closes after the answer has left", () => {
  /** What may have come of a request when its stream closes. */
  const requests: Readonly<Record<string, readonly [isWhole: boolean, send: (stream: ClientHttp2Stream) => void]>> = {
    "nothing of its body": [false, () => undefined],
    "a piece of its body": [false, (stream) => stream.write("body")],
    "a body": [true, (stream) => stream.end("body")],
    "an empty body": [true, (stream) => stream.end()],
    "a body and trailers": [true, (stream) => stream.on("wantTrailers", () => stream.sendTrailers({ "x-a": "b" })).end("body")],
  };
  const takeBack = (client: ClientHttp2Stream, code: number): void => {
    // Node's own client would end the body first, with some of these codes or all, by its version.
    client.end = () => client;
    client.close(code);
  };
  const closes: Readonly<Record<string, (client: ClientHttp2Stream, taken: ServerHttp2Stream) => void>> = {
    "its client takes it back without an error": (client) => takeBack(client, constants.NGHTTP2_NO_ERROR),
    "its client takes it back": (client) => takeBack(client, constants.NGHTTP2_CANCEL),
    "its client goes": (client) => client.session?.destroy(),
    "the server needs no more of it": (_, taken) => taken.close(constants.NGHTTP2_NO_ERROR),
  };
  for (const [what, [isWhole, send]] of Object.entries(requests))
    for (const [how, close] of Object.entries(closes))
      test(`${what}, ${how}`, async () => {
        const session = open();
        const taken = new Promise<[StreamRequest, StreamResponse]>((resolve) => (app = (...both) => resolve(both)));
        const stream = session.request({ ":path": "/", ":method": "POST" }, { waitForTrailers: what === "a body and trailers" });
        stream.on("error", () => undefined).resume();
        send(stream);
        const [request, response] = await taken;
        const read = new Promise((resolve) => {
          request.on("end", () => resolve(true)).on("error", () => resolve(false));
          request.resume();
        });
        response.end("ok");
        if (!response.stream.writableFinished) await once(response.stream, "finish");
        await new Promise<void>((resolve) => void session.ping(() => resolve()));
        close(stream, request.stream);
        expect([await read, request.complete]).toEqual([isWhole, isWhole]);
        session.destroy();
      });
});
