import { once } from "node:events";
import { connect, createServer, type AddressInfo, type ListenOptions, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { closeWithEmptyQueue } from "./empty-queue.ts";
import { stopAccepting } from "./stop-accepting.ts";

/** Answers each connection with a line, when it has had one. */
async function listening(options: ListenOptions): Promise<Server> {
  const server = createServer((socket) => socket.on("error", () => undefined).once("data", () => socket.end("an answer")));
  await once(server.listen(options), "listening");
  return server;
}

type Outcome = "answered" | "refused" | "lost";

/** A client that speaks as soon as the kernel says that it is connected. */
function ask(options: { readonly host: string; readonly port: number } | { readonly path: string }): Promise<Outcome> {
  return new Promise((resolve) => {
    let isConnected = false;
    let answer = "";
    connect(options, function connected(this: unknown) {
      isConnected = true;
    })
      .on("data", (chunk) => (answer += chunk.toString()))
      .on("error", () => undefined)
      .on("close", () => resolve(answer === "an answer" ? "answered" : isConnected ? "lost" : "refused"))
      .write("a line");
  });
}

async function end(server: Server): Promise<void> {
  await closeWithEmptyQueue(server);
  stopAccepting(server);
  expect(server.listening).toBe(false);
}

const places: Readonly<Record<string, () => ListenOptions>> = {
  "a port": () => ({ host: "127.0.0.1", port: 0 }),
  "a unix socket": () => ({ path: join(tmpdir(), `tsserve-queue-${process.pid}.sock`) }),
};

describe.each(Object.entries(places))("a listening socket on %s that is closed", (_name, optionsOf) => {
  test.each([0, 1, 2, 40])("with %i connections in its queue: all are answered", async (waiting) => {
    const options = optionsOf();
    const server = await listening(options);
    const place = "path" in options ? { path: options.path ?? "" } : { host: "127.0.0.1", port: (server.address() as AddressInfo).port };
    // The kernel has connected them before this process can accept one.
    const asked = Array.from({ length: waiting }, () => ask(place));
    await new Promise((resolve) => process.nextTick(resolve));
    const closed = once(server, "close");
    await end(server);
    expect(await Promise.all(asked)).toEqual(asked.map(() => "answered"));
    await closed;
  });

  test("while one comes after the other: each is answered, or refused", async () => {
    const options = optionsOf();
    const server = await listening(options);
    const place = "path" in options ? { path: options.path ?? "" } : { host: "127.0.0.1", port: (server.address() as AddressInfo).port };
    const outcomes: Outcome[] = [];
    const clients = Array.from({ length: 4 }, async () => {
      for (let outcome: Outcome = "answered"; outcome === "answered";) outcomes.push((outcome = await ask(place)));
    });
    while (outcomes.length < 20) await new Promise((resolve) => setImmediate(resolve));
    await end(server);
    await Promise.all(clients);
    expect(outcomes.filter((each) => each === "lost")).toEqual([]);
    expect(outcomes.filter((each) => each === "refused")).toHaveLength(4);
  });
});

test("on a machine that has little time for the process, all in the queue are answered, however long that takes", async () => {
  const server = await listening({ host: "127.0.0.1", port: 0 });
  // As if others had the processor: time passes, and the process does not work.
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  server.prependListener("connection", () => Atomics.wait(sleeper, 0, 0, 20));
  const place = { host: "127.0.0.1", port: (server.address() as AddressInfo).port };
  const asked = Array.from({ length: 40 }, () => ask(place));
  await new Promise((resolve) => process.nextTick(resolve));
  await end(server);
  expect(await Promise.all(asked)).toEqual(asked.map(() => "answered"));
});

test("a server that does not listen is closed as it is", async () => {
  await expect(closeWithEmptyQueue(createServer())).resolves.toBeUndefined();
});
