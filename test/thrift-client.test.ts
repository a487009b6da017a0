import { once } from "node:events";
import { connect, createServer, type AddressInfo } from "node:net";
import { freePort, until } from "@tsserve/testing";
import { Registry } from "prom-client";
import { TransportError } from "tsserve/thrift";
import { expect, test } from "vitest";
import { benchClient, serveThrift } from "./support/thrift.ts";

test("the pool grows to its size, calls beyond it wait, and its figures tell", async () => {
  await using server = serveThrift();
  using client = benchClient(await server.endpoint(), { size: 2 });
  expect(client.figures()).toEqual({ size: 0, idle: 0, inUse: 0, waiting: 0 });
  const calls = Array.from({ length: 5 }, () => client.call("add_later", [1, 1, 150]));
  await until("two connections in use", () => client.figures().inUse === 2);
  expect(client.figures()).toEqual({ size: 2, idle: 0, inUse: 2, waiting: 3 });
  await expect(Promise.all(calls)).resolves.toEqual([2, 2, 2, 2, 2]);
  expect(client.figures()).toEqual({ size: 2, idle: 2, inUse: 0, waiting: 0 });
});

test("a call that finds no free connection in time says so", async () => {
  await using server = serveThrift();
  using client = benchClient(await server.endpoint(), { size: 1, timeoutMs: 200 });
  const slow = client.call("add_later", [1, 1, 600], { timeoutMs: 5000 });
  await until("it to be sent", () => client.figures().inUse === 1);
  const error = await client.call("ping", [], { timeoutMs: 5000 }).catch((failure: unknown) => failure);
  expect(error).toMatchObject({ code: "POOL_EXHAUSTED", message: "none of the pool's 1 connections was free within 200 ms" });
  await expect(slow).resolves.toBe(2);
});

test("connections that are too old are not used again", async () => {
  await using server = serveThrift();
  const { hostname, port } = new URL(`http://${await server.endpoint()}`);
  let connections = 0;
  const between = createServer((socket) => {
    connections += 1;
    const onward = connect(Number(port), hostname);
    for (const [from, to] of [[socket, onward], [onward, socket]] as const) from.on("error", () => to.destroy()).pipe(to); // prettier-ignore
  });
  await once(between.listen(0, "127.0.0.1"), "listening");
  const endpoint = `127.0.0.1:${(between.address() as AddressInfo).port}`;
  {
    using kept = benchClient(endpoint);
    for (let count = 0; count < 20; count++) await kept.call("ping", []);
    expect(connections).toBe(1);
    using client = benchClient(endpoint, { maxAgeMs: 100 });
    await until("three connections more", async () => (await client.call("ping", []), connections === 4));
    expect(client.figures()).toMatchObject({ size: 1 });
  }
  between.close();
});

test("a server that is away is told, and found again when it is back", async () => {
  const port = await freePort();
  using client = benchClient(`127.0.0.1:${port}`);
  const error = await client.call("ping", []).catch((failure: unknown) => failure);
  expect(error).toBeInstanceOf(TransportError);
  expect(error).toMatchObject({ code: "NOT_OPEN", name: "TTransportException" });
  expect((error as Error).message).toBe(`can't connect to 127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port}`);
  for (let round = 0; round < 2; round++) {
    await using server = serveThrift({ bind: [`127.0.0.1:${port}`] });
    await server.endpoint();
    await expect(client.call("add_later", [round, 1, 0])).resolves.toBe(round + 1);
    server.kill("SIGKILL");
    await server.exited();
    await until("the connection to be given up", () => client.figures().size === 0);
  }
});

test("a call that takes too long ends, and its late answer is nobody else's", async () => {
  await using server = serveThrift();
  const endpoint = await server.endpoint();
  for (const maxPipelined of [1, 4]) {
    // Without a header for the deadline, so that only the client knows of it.
    using client = benchClient(endpoint, { maxPipelined, size: 1, form: "framed compact" });
    const late = client.call("add_later", [1, 1, 200], { timeoutMs: 50 });
    await expect(late).rejects.toMatchObject({ code: "TIMED_OUT", message: `add_later: no answer from ${endpoint} within 50 ms` });
    await expect(client.call("add_later", [2, 2, 300])).resolves.toBe(4);
  }
});

test("a server that says nothing, closes, or talks nonsense is told", async () => {
  const answers: Record<string, string | undefined> = {
    "nothing at all": undefined,
    "the end": "",
    nonsense: "HTTP/1.1 400 Bad Request\r\n\r\n",
    "a frame of 2 GB": "\x7f\xff\xff\xff\x80\x01\x00\x02",
  };
  const errors: Record<string, unknown> = {};
  for (const [name, answer] of Object.entries(answers)) {
    const fake = createServer((socket) => {
      socket.on("error", () => undefined);
      if (answer !== undefined) socket.once("data", () => socket.end(answer, "latin1"));
    }).listen(0, "127.0.0.1");
    await once(fake, "listening");
    // Nobody's patience is to be over where something comes.
    const timeoutMs = answer === undefined ? 300 : 30_000;
    using client = benchClient(`127.0.0.1:${(fake.address() as AddressInfo).port}`, { timeoutMs });
    const error = (await client.call("ping", []).catch((failure: unknown) => failure)) as Error & { code?: string };
    errors[name] = [error.name, error.code];
    fake.close();
  }
  expect(errors).toEqual({
    "nothing at all": ["TTransportException", "TIMED_OUT"],
    "the end": ["TTransportException", "END_OF_FILE"],
    nonsense: ["ProtocolError", undefined],
    "a frame of 2 GB": ["ProtocolError", undefined],
  });
});

test("what can't be called is told before anything is sent", async () => {
  using client = benchClient("127.0.0.1:1");
  await expect(client.call("pong", [])).rejects.toThrow('the service Bench has no method "pong", did you mean "ping"?');
  expect(() => benchClient("127.0.0.1:1", { size: 0 })).toThrow("size: expected a number above 0, found 0");
  expect(() => benchClient("localhost")).toThrow("expected an endpoint such as localhost:9090");
  expect(() => benchClient("localhost:1", { form: "http" as never })).toThrow("form: expected framed, unframed or header");
  await using server = serveThrift();
  using other = benchClient(await server.endpoint());
  await expect(other.call("add_later", ["1", 2, 0])).rejects.toThrow('add_later_args.a: expected an i32, found "1"');
  await expect(other.call("add_later", [1, 2, 0])).resolves.toBe(3);
});

test("a closed client fails what waits, and takes no more", async () => {
  await using server = serveThrift();
  const client = benchClient(await server.endpoint(), { size: 1 });
  const calls = [1, 2].map(() => client.call("add_later", [1, 1, 5000]).catch((error: unknown) => error));
  await until("one to be sent, and one to wait", () => client.figures().waiting === 1 && client.figures().inUse === 1);
  client.close();
  for (const error of await Promise.all(calls)) expect(error).toMatchObject({ code: "CLOSED" });
  await expect(client.call("ping", [])).rejects.toMatchObject({ code: "CLOSED" });
});

test("calls are counted by method, client and outcome", async () => {
  await using server = serveThrift();
  const metrics = new Registry();
  using client = benchClient(await server.endpoint(), { metrics, name: "bench" });
  await client.call("ping", []);
  await client.call("fail", [1]).catch(() => undefined);
  await client.call("fail", [2]).catch(() => undefined);
  const text = await metrics.metrics();
  const labels = (method: string, success: boolean, type: string, status: string, code: string): string =>
    `thrift_client_requests_total{thrift_method="${method}",thrift_client_name="bench",thrift_success="${success}",thrift_exception_type="${type}",thrift_baseplate_status="${status}",thrift_baseplate_status_code="${code}"} 1`;
  expect(text).toContain(labels("ping", true, "", "", ""));
  expect(text).toContain(labels("fail", false, "BenchError", "NOT_FOUND", "404"));
  expect(text).toContain(labels("fail", false, "TApplicationException", "", ""));
  expect(text).toContain('thrift_client_active_requests{thrift_method="ping",thrift_client_name="bench"} 0');
  expect(text).toContain('thrift_client_latency_seconds_count{thrift_method="ping",thrift_client_name="bench",thrift_success="true"} 1');
});

test("over a unix socket", async () => {
  await using server = serveThrift({ bind: ["./thrift.sock"] });
  const path = await server.endpoint();
  using client = benchClient(path.startsWith("/") ? path : `${server.folder}/thrift.sock`);
  await expect(client.call("add_later", [1, 2, 0])).resolves.toBe(3);
});
