import { bindDescriptor, complianceTests, openRaw, until, workerEnvironment } from "@tsserve/testing";
import { makeServer, TransportError } from "tsserve/thrift";
import { describe, expect, test } from "vitest";
import { addLater, bench, benchClient, callType, framed, message, serveThrift } from "./support/thrift.ts";
import { run } from "./support/run.ts";
import { watchStandstills } from "./support/standstills.ts";

describe("tsserve/thrift", () => {
  let begun = 0;
  const subject: Parameters<typeof complianceTests>[0] = {
    makeServer,
    makeApp: () => {
      let release: () => void = () => undefined;
      const released = new Promise<void>((resolve) => (release = resolve));
      const wait = (): Promise<void> => ((begun += 1), released);
      const handler = {
        ping: () => undefined,
        echo: wait,
        fail: () => wait().then(() => "done"),
        add_later: () => 1,
        note: () => undefined,
      };
      return { app: { service: bench, handler }, release: () => release() };
    },
    quickRequest: async (port) => {
      using client = benchClient(`127.0.0.1:${port}`);
      await client.call("ping", []);
    },
    slowRequest: async (port) => {
      const before = begun;
      const client = benchClient(`127.0.0.1:${port}`, { timeoutMs: 30_000 });
      const answer = client.call("fail", [0]).then(() => client.close());
      answer.catch(() => undefined);
      await until("the slow request to begin", () => begun > before);
      return { answer };
    },
  };
  for (const { name, run: runTest } of complianceTests(subject)) test(name, runTest);
});

test("a stop answers what has come, closes idle connections at once, and ends with 0", async () => {
  await using server = serveThrift();
  const endpoint = await server.endpoint();
  using idle = await openRaw(`http://${endpoint}`);
  idle.send(framed(message("binary", "ping")));
  await idle.receives(/ping/);
  using client = benchClient(endpoint);
  const slow = client.call("add_later", [1, 2, 3000]);
  let isAnswered = false;
  void slow.then(() => (isAnswered = true));
  await until("the request to arrive", () => server.stdout().includes("add_later begins"));
  await client.call("add_later", [1, 2, 0]);
  server.kill("SIGTERM");
  await idle.closed();
  expect([idle.error, isAnswered]).toEqual([undefined, false]);
  await expect(slow).resolves.toBe(3);
  expect(await server.exited()).toMatchObject({ code: 0 });
});

test("pipelined requests that have come are all answered by a stop", async () => {
  await using server = serveThrift();
  using raw = await openRaw(`http://${await server.endpoint()}`);
  raw.send(
    Buffer.concat(
      Array.from({ length: 20 }, (_, index) => framed(message("binary", "add_later", addLater(index, 1, 300), { sequenceId: index + 1 }))),
    ),
  );
  await until("all of them to come", () => server.stdout().split("add_later begins").length > 20);
  server.kill("SIGTERM");
  const answers = await raw.closed();
  expect(answers.match(/add_later/g)).toHaveLength(20);
  expect(await server.exited()).toMatchObject({ code: 0 });
});

test("during the drain it serves on, says that it is not ready, and tells THeader clients to leave", async () => {
  await using server = serveThrift({ server: { drain_time: "5 minutes" } });
  const endpoint = await server.endpoint();
  using client = benchClient(endpoint, { size: 1 });
  await expect(client.call("is_healthy", [])).resolves.toBe(true);
  expect(client.figures()).toMatchObject({ size: 1 });
  server.kill("SIGTERM");
  await server.log(/readiness fails/);
  await expect(client.call("is_healthy", [])).resolves.toBe(false);
  // The answer told it to leave: the connection is not kept.
  await until("the connection to be given up", () => client.figures().size === 0);
  await expect(client.call("add_later", [1, 2, 0])).resolves.toBe(3);
  const ready = await run({}, ["healthcheck", "thrift", endpoint, "--timeout", "30 seconds"]);
  expect(ready).toMatchObject({ code: 1, stderr: `${endpoint}: the readiness probe got false\n` });
  expect(await run({}, ["healthcheck", "thrift", endpoint, "--probe", "liveness", "--timeout", "30 seconds"])).toMatchObject({
    code: 0,
    stdout: "OK!\n",
  });
  // The second signal ends the drain.
  server.kill("SIGTERM");
  expect(await server.exited()).toMatchObject({ code: 0 });
});

test("clients that leave when they are told lose nothing, stop after stop", async () => {
  using bound = bindDescriptor();
  const start = async (): Promise<ReturnType<typeof serveThrift>> => {
    const server = serveThrift({
      server: { drain_time: "300 milliseconds", access_log: "false" },
      descriptors: [bound.fd],
      env: workerEnvironment(),
    });
    await server.endpoint();
    return server;
  };
  let serving = await start();
  using standstills = watchStandstills();
  const failures: unknown[] = [];
  let answered = 0;
  const over = new AbortController();
  const clients = [1, 8].map((maxPipelined) => benchClient(`127.0.0.1:${bound.port}`, { size: 8, maxPipelined }));
  const callers = Array.from({ length: 16 }, async (_, index) => {
    while (!over.signal.aborted) {
      const call = clients[index % 2]?.call("add_later", [index, 1, index % 3]);
      await call?.then(
        (sum) => (sum === index + 1 ? (answered += 1) : failures.push(sum)),
        (error: unknown) => failures.push(error),
      );
    }
  });
  for (let stop = 0; stop < 5; stop++) {
    await using old = serving;
    const before = answered;
    serving = await start();
    await until("load", () => answered > before + 200);
    old.kill();
    expect((await old.exited()).code).toBe(0);
  }
  over.abort();
  await Promise.all(callers);
  for (const client of clients) client.close();
  await serving[Symbol.asyncDispose]();
  const isEnd = (failure: unknown): boolean => failure instanceof TransportError && failure.code === "END_OF_FILE";
  expect(failures.filter((each) => !isEnd(each))).toEqual([]);
  // Clients of a process that stood still could not hear in time that they had to leave.
  expect(failures.length).toBeLessThanOrEqual(standstills.count() * callers.length);
});

test("half-sent messages and silent connections do not hold a stop", async () => {
  // Whoever waited for them would not end here.
  await using server = serveThrift({ server: { stop_timeout: "1 hour" } });
  const endpoint = await server.endpoint();
  using silent = await openRaw(`http://${endpoint}`);
  using half = await openRaw(`http://${endpoint}`);
  half.send(framed(message("binary", "ping")).subarray(0, 9));
  server.kill("SIGTERM");
  expect(await server.exited()).toMatchObject({ code: 0 });
  await silent.closed();
  await half.closed();
});

test("what is still in progress at the deadline is cut, counted and logged with its method", async () => {
  await using server = serveThrift({ server: { stop_timeout: "300 milliseconds" } });
  using client = benchClient(await server.endpoint());
  const slow = client.call("add_later", [1, 2, 20_000]);
  slow.catch(() => undefined);
  await until("the request to arrive", () => server.stdout().includes("add_later begins"));
  server.kill("SIGTERM");
  expect(await server.exited()).toMatchObject({ code: 1 });
  await expect(slow).rejects.toThrow(TransportError);
  expect(server.stdout()).toContain('"route":"add_later"');
});

test("connections beyond max_concurrency wait, and idle ones give way to them", async () => {
  await using server = serveThrift({ server: { max_concurrency: "2" } });
  const endpoint = await server.endpoint();
  using first = await openRaw(`http://${endpoint}`);
  using busy = benchClient(endpoint);
  const slow = busy.call("add_later", [1, 2, 1500]);
  await until("the request to arrive", () => busy.figures().inUse === 1);
  using third = benchClient(endpoint);
  await expect(third.call("add_later", [2, 2, 0])).resolves.toBe(4);
  await first.closed();
  await expect(slow).resolves.toBe(3);
});

test("a connection that idles for longer than idle_timeout is closed, one that does not send its message as well", async () => {
  await using server = serveThrift({ server: { idle_timeout: "1 second", receive_timeout: "1 second" } });
  const endpoint = await server.endpoint();
  using idle = await openRaw(`http://${endpoint}`);
  using half = await openRaw(`http://${endpoint}`);
  half.send(framed(message("compact", "ping", undefined, { type: callType })).subarray(0, 7));
  await idle.closed();
  await half.closed();
  await until("the reason", () => server.logs().some(({ reason }) => reason === "a message did not come within receive_timeout (1000 ms)"));
});
