import { once } from "node:events";
import { connect, createServer, type AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { ActiveRequests, systemClock, type Clock, type Health } from "@tsserve/server";
import { pino } from "pino";
import { expect, test } from "vitest";
import { addLater, framed, message, onewayType } from "../../../../test/support/thrift.ts";
import { loadService } from "../service/load-service.ts";
import { defaultLimits } from "../wire/limits.ts";
import { Answers } from "./answers.ts";
import { Connections } from "./connections.ts";
import { Dispatcher } from "./dispatcher.ts";
import { openApp } from "./open-app.ts";
import { Replies } from "./replies.ts";
import { makeCallHandler } from "./trace-requests.ts";

/** The system's clock, which a test may put forward. */
class ForwardClock implements Clock {
  aheadMs = 0;

  now(): number {
    return systemClock.now() + this.aheadMs;
  }
  after(ms: number, callback: () => void): () => void {
    return systemClock.after(ms, callback);
  }
}

interface Subject extends AsyncDisposable {
  readonly clock: ForwardClock;
  /** Stops; gives how many requests were cut. */
  stop(): Promise<number>;
  client(): Promise<Client>;
  /** Ends the oldest call in progress. */
  answer(): void;
  inProgress(): number;
}

interface Client extends Disposable {
  call(count?: number): void;
  note(): void;
  answers(): number;
  /** `end`, or the error's code, once its connection has ended. */
  ended(): string | undefined;
}

const idl = fileURLToPath(new URL("../../../../test/fixtures/thrift/bench.thrift", import.meta.url));
const request = framed(message("binary", "add_later", addLater(1, 2, 0)));

/** The connections of a server whose calls are answered when the test says so. */
async function serve(): Promise<Subject> {
  const clock = new ForwardClock();
  const log = pino({ level: "silent" });
  const waiting: (() => void)[] = [];
  const handler = {
    ping: () => undefined,
    echo: () => undefined,
    fail: () => "",
    note: () => undefined,
    add_later: (a: number, b: number) => new Promise((resolve) => waiting.push(() => resolve(a + b))),
  };
  const replies = new Replies(log);
  const requests = new ActiveRequests();
  const answers = new Answers({ replies, requests, log, onEnd: undefined });
  const methods = openApp({ service: loadService(idl, "Bench"), handler }, undefined as unknown as Health, log);
  const callHandler = makeCallHandler(undefined);
  const dispatcher = new Dispatcher({ methods, limits: defaultLimits, requests, log, replies, answers, callHandler });
  const connections = new Connections({
    descriptors: { look: () => undefined },
    handler: dispatcher,
    slab: replies.slab,
    maxPipelined: 128,
    log,
    lingers: () => undefined,
    limits: { maxConcurrency: 100, idleTimeoutMs: 60_000, receiveTimeoutMs: 60_000, patienceMs: 1000 },
    clock,
    onFull: () => undefined,
    abandon: (connection) => dispatcher.abandon(connection),
  });
  const acceptor = createServer({ allowHalfOpen: true, noDelay: true });
  connections.addAcceptor(acceptor);
  connections.start();
  await once(acceptor.listen(0, "127.0.0.1"), "listening");
  const { port } = acceptor.address() as AddressInfo;
  const deadline = new AbortController();
  return {
    clock,
    stop: () => {
      acceptor.close();
      return connections.end(deadline.signal);
    },
    client: () => openClient(port),
    answer: () => waiting.shift()?.(),
    inProgress: () => waiting.length,
    [Symbol.asyncDispose]: async () => {
      deadline.abort();
      acceptor.close();
      await Promise.resolve();
    },
  };
}

async function openClient(port: number): Promise<Client> {
  const socket = connect({ port, host: "127.0.0.1" });
  await once(socket, "connect");
  let received = "";
  let ended: string | undefined;
  socket.setEncoding("latin1").on("data", (text: string) => (received += text));
  socket.on("end", () => (ended ??= "end"));
  socket.on("error", ({ code }: NodeJS.ErrnoException) => (ended ??= code));
  return {
    call: (count = 1) => void socket.write(Buffer.concat(Array.from({ length: count }, () => request))),
    note: () => void socket.write(framed(message("binary", "note", (output) => output["writeFieldStop"]?.(), { type: onewayType }))),
    answers: () => received.match(/add_later/g)?.length ?? 0,
    ended: () => ended,
    [Symbol.dispose]: () => void socket.destroy(),
  };
}

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
};

/** Sends something that has one answer, and waits for that. */
async function answered(server: Subject, client: Client, count: number, send: () => void = () => client.call()): Promise<void> {
  send();
  await expect.poll(() => server.inProgress(), { interval: 1 }).toBe(1);
  server.answer();
  await expect.poll(() => client.answers(), { interval: 1 }).toBe(count);
}

test.each([
  { what: "a client that calls and waits", send: (client: Client) => client.call() },
  { what: "a client that sends one-way messages as well", send: (client: Client) => (client.note(), client.call()) },
])("$what, with pauses, is ended in one of them, and loses nothing", async ({ send }) => {
  await using server = await serve();
  using client = await server.client();
  await answered(server, client, 1, () => send(client));
  const stopped = server.stop();
  for (let count = 2; client.ended() === undefined; count++) {
    send(client);
    // On a machine that stands still the end may be on its way when it sends: then nothing of that has begun.
    await expect.poll(() => server.inProgress() === 1 || client.ended() !== undefined, { interval: 1 }).toBe(true);
    if (server.inProgress() === 0) break;
    server.answer();
    await expect.poll(() => client.answers(), { interval: 1 }).toBe(count);
    await delay(10);
  }
  await expect.poll(() => client.ended()).toBe("end");
  await expect(stopped).resolves.toBe(0);
});

test("a client that never pauses is ended when the patience is over; none of its calls that have come is lost", async () => {
  await using server = await serve();
  using client = await server.client();
  client.call();
  await expect.poll(() => server.inProgress()).toBe(1);
  const stopped = server.stop();
  await turns();
  // It goes on before its answer has come: there is never a moment in which nothing is in progress.
  client.call(5);
  await expect.poll(() => server.inProgress()).toBe(6);
  server.answer();
  await expect.poll(() => client.answers()).toBe(1);
  expect(client.ended()).toBeUndefined();
  server.clock.aheadMs += 1100;
  await delay(60);
  // Read no more: it was not begun.
  client.call();
  await turns();
  expect([server.inProgress(), client.ended()]).toEqual([5, undefined]);
  for (let call = 0; call < 5; call++) server.answer();
  await expect.poll(() => [client.answers(), client.ended()]).toEqual([6, "end"]);
  await expect(stopped).resolves.toBe(0);
});

test("a connection that idles is ended at once", async () => {
  await using server = await serve();
  using client = await server.client();
  await answered(server, client, 1);
  server.clock.aheadMs += 100_000;
  const stopped = server.stop();
  await expect.poll(() => client.ended()).toBe("end");
  await expect(stopped).resolves.toBe(0);
});

test("a connection that went idle a moment ago lingers, and may call once more", async () => {
  await using server = await serve();
  using client = await server.client();
  await turns();
  // However slow this machine is, it went idle a moment ago.
  server.clock.aheadMs -= 100_000;
  const stopped = server.stop();
  await turns();
  expect(client.ended()).toBeUndefined();
  await answered(server, client, 1);
  server.clock.aheadMs += 200_000;
  await expect.poll(() => client.ended()).toBe("end");
  await expect(stopped).resolves.toBe(0);
});
