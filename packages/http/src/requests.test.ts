import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { ActiveRequests, systemClock } from "@tsserve/server";
import { expect, test } from "vitest";
import { connectionKey, type TrackedSocket } from "./connection.ts";
import { Connections } from "./connections.ts";
import type { HttpRequest } from "./http-request.ts";
import { OwnAnswers } from "./own-answer.ts";
import { Overload } from "./overload.ts";
import { makeTakeRequest } from "./requests.ts";

interface Taken {
  /** What became of requests, in its order: the app ran, its response closed, the request was over. */
  readonly events: readonly string[];
  /** What the client got. */
  readonly text: string;
  readonly inProgress: number;
}

interface Choices {
  readonly maxActive?: number;
  /** Called with the client's side as soon as the app runs. */
  readonly whenRun?: (client: ReturnType<typeof connect>) => void;
}

/** A server that takes its requests in as ours do, and one client that sends a text. */
async function take(text: string, app: RequestListener, { maxActive = 0, whenRun }: Choices = {}): Promise<Taken> {
  const events: string[] = [];
  const connections = new Connections({
    maxConcurrency: 10,
    clock: systemClock,
    draw: () => ({ maxRequests: Number.POSITIVE_INFINITY, maxAgeMs: Number.POSITIVE_INFINITY }),
    drainTimeMs: 0,
    closeWebSocketsOverMs: undefined,
    drawClose: () => 0,
    onFull: () => undefined,
    onClosed: () => undefined,
  });
  const requests = new ActiveRequests();
  const never = (): never => expect.unreachable();
  const takeRequest = makeTakeRequest({
    requests,
    connections,
    answers: new OwnAnswers({ renderError: undefined, serverHeader: undefined, requestIdHeader: undefined, failed: never }),
    headers: { server: undefined, contentType: undefined, requestIdHeader: undefined },
    identify: undefined,
    overload: new Overload(maxActive),
    checkHead: ({ url }) => (url === "/bad" ? { status: 400, reason: "header", message: "bad" } : undefined),
    bodyLimit: undefined,
    onRefused: (request: HttpRequest) => events.push(`refused ${request.url}`),
    onWrongLength: never,
    onError: never,
    onEnd: (request: HttpRequest) => events.push(`over ${request.url}`),
  });
  const server = createServer();
  server.removeAllListeners("connection");
  const serve = (createServer().listeners("connection")[0] as (this: typeof server, socket: TrackedSocket) => void).bind(server);
  server.on("connection", (socket: TrackedSocket) => connections.arrive(socket, () => serve(socket)));
  server.on("request", (incoming, response) => {
    const { url } = incoming;
    response.on("close", () => events.push(`closed ${url}`));
    expect((incoming.socket as TrackedSocket)[connectionKey]).toBeDefined();
    takeRequest(
      incoming,
      response,
      (...both) => {
        events.push(`ran ${url}`);
        app(...both);
        whenRun?.(client);
      },
      false,
    );
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  client.write(text);
  let got = "";
  client.on("data", (chunk) => (got += chunk.toString()));
  client.on("error", () => undefined);
  await once(client, "close");
  server.close();
  await once(server, "close");
  await expect.poll(() => connections.open.size).toBe(0);
  return { events, text: got, inProgress: requests.size };
}

const get = (path: string, last = false): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n${last ? "Connection: close\r\n" : ""}\r\n`;
const answer: RequestListener = ({ url }, response) => void response.end(`answer to ${url}`);
/** Each request is over once, whatever became of it. */
const overs = ({ events }: Taken): string[] => events.filter((event) => event.startsWith("over"));

test("a request is over when its answer has left, before the response closes; the last of a connection when it closes", async () => {
  const taken = await take(get("/1") + get("/2", true), answer);
  expect(taken.text.match(/answer to \/\d/g)).toEqual(["answer to /1", "answer to /2"]);
  expect(overs(taken)).toEqual(["over /1", "over /2"]);
  expect(taken.events.indexOf("over /1")).toBeLessThan(taken.events.indexOf("closed /1"));
  expect(taken.events.indexOf("over /2")).toBeGreaterThan(taken.events.indexOf("closed /2"));
  expect(taken.inProgress).toBe(0);
});

test("of a pipeline answers leave in its order, whichever is ready first, and each request is over once", async () => {
  const waiting: (() => void)[] = [];
  const taken = await take(get("/1") + get("/2") + get("/3", true), (incoming, response) => {
    waiting.unshift(() => response.end(`answer to ${incoming.url}`));
    if (waiting.length === 3) for (const each of waiting) each();
  });
  expect(taken.text.match(/answer to \/\d/g)).toEqual(["answer to /1", "answer to /2", "answer to /3"]);
  expect(overs(taken)).toEqual(["over /1", "over /2", "over /3"]);
});

test.each<[string, RequestListener]>([
  ["has not begun to answer", () => undefined],
  ["has begun to answer", (_, response) => void response.write("part")],
  ["has answered more than the client took", (_, response) => void response.end("x".repeat(10_000_000))],
  ["has answered, and another waits", ({ url }, response) => void (url === "/2" ? response.end("second") : undefined)],
])("a client that leaves when the app %s: its requests are over, once", async (_, app) => {
  const taken = await take(get("/1") + get("/2"), app, { whenRun: (client) => setImmediate(() => client.destroy()) });
  expect(overs(taken).toSorted()).toEqual(
    taken.events.filter((event) => event.startsWith("ran")).map((event) => event.replace("ran", "over")),
  );
  expect(taken.inProgress).toBe(0);
});

test("what the server refuses never runs, is told of once, and is over once; what comes after it does not run", async () => {
  const taken = await take(get("/1") + get("/bad") + get("/3"), answer);
  expect(taken.text).toMatch(/^HTTP\/1\.1 200[^]*HTTP\/1\.1 400/);
  expect(taken.events.filter((event) => /ran|refused/.test(event))).toEqual(["ran /1", "refused /bad"]);
  expect(overs(taken)).toEqual(["over /1", "over /bad"]);
});

test("beyond max_active_requests a request is refused, and its connection goes on; a body would be in the way", async () => {
  let release = (): void => undefined;
  const busy: RequestListener = ({ url }, response) => {
    if (url === "/1") release = () => response.end("first");
    else response.end("later");
  };
  const both = take(get("/1") + get("/2") + get("/3", true), busy, { maxActive: 1 });
  await expect.poll(() => String(release)).toContain("first");
  release();
  const taken = await both;
  expect(taken.text.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 503", "HTTP/1.1 503"]);
  expect(overs(taken)).toHaveLength(3);
  const withBody = "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab";
  const second = take(get("/1") + withBody, busy, { maxActive: 1, whenRun: () => setImmediate(() => release()) });
  expect((await second).text).toMatch(/503[^]*connection: close/i);
});

test("after the answer that closes a connection nothing of it runs", async () => {
  const taken = await take(get("/1", true) + get("/2"), answer);
  expect(taken.events.filter((event) => event.startsWith("ran"))).toEqual(["ran /1"]);
});
