import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { ActiveRequests, Health, type Clock } from "@tsserve/server";
import { pino } from "pino";
import { expect, test } from "vitest";
import { addLater, framed, message } from "../../../../test/support/thrift.ts";
import { loadService } from "../service/load-service.ts";
import { defaultLimits } from "../wire/limits.ts";
import { Answers } from "./answers.ts";
import { Connections } from "./connections.ts";
import { Dispatcher } from "./dispatcher.ts";
import { openApp } from "./open-app.ts";
import { Replies } from "./replies.ts";
import { makeCallHandler } from "./trace-requests.ts";

/** A clock that stands still until a test turns it. */
class TurnedClock implements Clock {
  readonly #start = performance.now();
  #offset = 0;
  #waiting: { readonly at: number; readonly callback: () => void }[] = [];

  now(): number {
    return this.#start + this.#offset;
  }

  after(ms: number, callback: () => void): () => void {
    const entry = { at: this.#offset + ms, callback };
    this.#waiting.push(entry);
    return () => (this.#waiting = this.#waiting.filter((each) => each !== entry));
  }

  /** Calls back whatever is due after so many milliseconds. */
  turn(ms: number): void {
    this.#offset += ms;
    const due = this.#waiting.filter(({ at }) => at <= this.#offset);
    this.#waiting = this.#waiting.filter(({ at }) => at > this.#offset);
    for (const { callback } of due) callback();
  }
}

interface Subject extends AsyncDisposable {
  readonly clock: TurnedClock;
  readonly stopped: Promise<number>;
  stop(): void;
  client(): Promise<Client>;
  /** Ends the oldest call in progress. */
  answer(): void;
  inProgress(): number;
}

interface Client extends Disposable {
  readonly socket: Socket;
  call(count?: number): void;
  answers(): number;
  hasEnded(): boolean;
}

const idl = fileURLToPath(new URL("../../../../test/fixtures/thrift/bench.thrift", import.meta.url));

/** The connections of a server whose calls are answered when the test says so. */
async function serve(): Promise<Subject> {
  const clock = new TurnedClock();
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
  const dispatcher = new Dispatcher({
    methods,
    limits: defaultLimits,
    requests,
    log,
    replies,
    answers,
    callHandler: makeCallHandler(undefined),
  });
  const connections = new Connections({
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
  let resolveStopped: (cut: number) => void = () => undefined;
  const stopped = new Promise<number>((resolve) => (resolveStopped = resolve));
  return {
    clock,
    stopped,
    stop: () => {
      acceptor.close();
      connections.end(deadline.signal).then(resolveStopped, () => undefined);
    },
    client: async () => {
      const socket = connect({ port, host: "127.0.0.1" });
      await once(socket, "connect");
      let received = "";
      let hasEnded = false;
      socket.setEncoding("latin1").on("data", (text: string) => (received += text));
      socket.on("end", () => (hasEnded = true));
      return {
        socket,
        call: (count = 1) =>
          void socket.write(Buffer.concat(Array.from({ length: count }, () => framed(message("binary", "add_later", addLater(1, 2, 0)))))),
        answers: () => received.match(/add_later/g)?.length ?? 0,
        hasEnded: () => hasEnded,
        [Symbol.dispose]: () => void socket.destroy(),
      };
    },
    answer: () => waiting.shift()?.(),
    inProgress: () => waiting.length,
    [Symbol.asyncDispose]: async () => {
      deadline.abort();
      acceptor.close();
      await Promise.resolve();
    },
  };
}

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
};

test("a busy connection is served on after its answer, and ended when its client pauses", async () => {
  await using server = await serve();
  using client = await server.client();
  client.call();
  await expect.poll(() => server.inProgress()).toBe(1);
  server.stop();
  await turns();
  for (let call = 1; call <= 3; call++) {
    server.answer();
    await expect.poll(() => client.answers()).toBe(call);
    await turns();
    expect(client.hasEnded()).toBe(false);
    if (call === 3) break;
    client.call();
    await expect.poll(() => server.inProgress()).toBe(1);
    // The timers of the answers before: the client has gone on, so they end nothing.
    server.clock.turn(2);
    await turns();
    expect(client.hasEnded()).toBe(false);
  }
  server.clock.turn(2);
  await expect.poll(() => client.hasEnded()).toBe(true);
  client.socket.end();
  await expect(server.stopped).resolves.toBe(0);
});

test("a server that was late to see the pause waits for the next one", async () => {
  await using server = await serve();
  using client = await server.client();
  client.call();
  await expect.poll(() => server.inProgress()).toBe(1);
  server.stop();
  await turns();
  for (const lateMs of [5, 2]) {
    server.answer();
    await expect.poll(() => server.inProgress()).toBe(0);
    await turns();
    server.clock.turn(lateMs);
    await turns();
    if (lateMs === 2) break;
    expect(client.hasEnded()).toBe(false);
    client.call();
    await expect.poll(() => server.inProgress()).toBe(1);
  }
  await expect.poll(() => client.hasEnded()).toBe(true);
  client.socket.end();
  await expect(server.stopped).resolves.toBe(0);
});

test("a client that never pauses is ended with an answer, when the patience is over; none of its calls that have come is lost", async () => {
  await using server = await serve();
  using client = await server.client();
  using slow = await server.client();
  client.call();
  slow.call();
  await expect.poll(() => server.inProgress()).toBe(2);
  server.stop();
  await turns();
  server.answer();
  await expect.poll(() => client.answers()).toBe(1);
  client.call(5);
  await expect.poll(() => server.inProgress()).toBe(6);
  server.clock.turn(1100);
  await turns();
  expect([client.hasEnded(), slow.hasEnded()]).toEqual([false, false]);
  // Read no more: it was not begun.
  client.call();
  await turns();
  expect(server.inProgress()).toBe(6);
  // The one that waits for its first answer still may go on after it.
  server.answer();
  await expect.poll(() => slow.answers()).toBe(1);
  await turns();
  expect(slow.hasEnded()).toBe(false);
  server.clock.turn(2);
  await expect.poll(() => slow.hasEnded()).toBe(true);
  for (let call = 0; call < 5; call++) server.answer();
  await expect.poll(() => [client.answers(), client.hasEnded()]).toEqual([6, true]);
  client.socket.end();
  slow.socket.end();
  await expect(server.stopped).resolves.toBe(0);
});

test("a connection that idles is ended at once", async () => {
  await using server = await serve();
  using client = await server.client();
  client.call();
  await expect.poll(() => server.inProgress()).toBe(1);
  server.answer();
  await expect.poll(() => client.answers()).toBe(1);
  server.clock.turn(100_000);
  server.stop();
  await expect.poll(() => client.hasEnded()).toBe(true);
  client.socket.end();
  await expect(server.stopped).resolves.toBe(0);
});

test("a connection that went idle a moment ago lingers, and is ended after its next answer", async () => {
  await using server = await serve();
  using client = await server.client();
  await turns();
  // However slow this machine is, it went idle a moment ago.
  server.clock.turn(-100_000);
  server.stop();
  await turns();
  expect(client.hasEnded()).toBe(false);
  client.call();
  await expect.poll(() => server.inProgress()).toBe(1);
  server.answer();
  await expect.poll(() => client.answers()).toBe(1);
  server.clock.turn(2);
  await expect.poll(() => client.hasEnded()).toBe(true);
  client.socket.end();
  await expect(server.stopped).resolves.toBe(0);
});
