// What do upgrades cost clients that can't be told to leave? Upgrades in a row, each with a second instance that takes
// over the same listening socket, under framed and unframed clients that pause for so long between their calls.
//
//     node --import tsx benchmarks/thrift-upgrades.ts [UPGRADES] [CONNECTIONS]
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { bindDescriptor, spawnTsserve, workerEnvironment, type TsserveProcess } from "@tsserve/testing";
import { loadService, makeClient, type ClientForm } from "tsserve/thrift";
import { path } from "./servers.ts";

const upgrades = Number(process.argv[2] ?? 50);
const connections = Number(process.argv[3] ?? 16);
const pauses = [0, 5, 20];

interface Apache {
  createConnection(host: string, port: number, options: object): ApacheConnection;
  createClient(service: unknown, connection: unknown): { add_later(a: number, b: number, delay: number): Promise<number> };
  readonly [transportOrProtocol: string]: unknown;
}
interface ApacheConnection {
  end(): void;
  on(event: string, listener: (error: Error) => void): void;
}
const require = createRequire(import.meta.url);
const apache = require("thrift") as Apache;
const fixtures = fileURLToPath(new URL("../test/fixtures/thrift/", import.meta.url));
const Bench: unknown = require(`${fixtures}gen-nodejs/Bench.js`);
const bench = loadService(`${fixtures}bench.thrift`, "Bench");

interface Count {
  answered: number;
  lost: number;
}

const pause = (ms: number): Promise<void> =>
  ms === 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, ms + Math.random()));

/** Calls in a closed loop on our own client, one connection. */
async function ours(form: ClientForm, port: number, pauseMs: number, over: AbortSignal, count: Count): Promise<void> {
  const client = makeClient(bench, { endpoint: `127.0.0.1:${port}`, form, size: 1, timeoutMs: 10_000 });
  while (!over.aborted) {
    await client.call("add_later", [1, 2, 1]).then(
      () => (count.answered += 1),
      () => (count.lost += 1),
    );
    await pause(pauseMs);
  }
  client.close();
}

/** The same on Apache's client, which makes a new connection when it sees that the one it has is closed. */
async function apaches(port: number, pauseMs: number, over: AbortSignal, count: Count): Promise<void> {
  while (!over.aborted) {
    const connection = apache.createConnection("127.0.0.1", port, {
      transport: apache["TFramedTransport"],
      protocol: apache["TBinaryProtocol"],
    });
    const closed = new AbortController();
    const waiting: { reject?: (error: Error) => void } = {};
    for (const event of ["close", "error", "end"]) {
      connection.on(event, () => {
        closed.abort();
        waiting.reject?.(new Error("the connection was closed"));
      });
    }
    const client = apache.createClient(Bench, connection);
    while (!over.aborted && !closed.signal.aborted) {
      const answer = new Promise((resolve, reject) => {
        waiting.reject = reject;
        client.add_later(1, 2, 1).then(resolve, reject);
      });
      await answer.then(
        () => (count.answered += 1),
        () => (count.lost += 1),
      );
      await pause(pauseMs);
    }
    connection.end();
  }
}

for (const pauseMs of pauses) {
  using bound = bindDescriptor();
  const start = async (): Promise<TsserveProcess> => {
    const server = spawnTsserve({ args: [path("thrift/upgrades.ini")], descriptors: [bound.fd], env: workerEnvironment() });
    await server.listening();
    return server;
  };
  let serving = await start();
  const over = new AbortController();
  const counts: Record<string, Count> = {};
  const running: Promise<void>[] = [];
  const run = (name: string, each: (count: Count) => Promise<void>): void => {
    const count = (counts[name] = { answered: 0, lost: 0 });
    for (let index = 0; index < connections; index++) running.push(each(count));
  };
  run("framed binary", (count) => ours("framed binary", bound.port, pauseMs, over.signal, count));
  run("unframed compact", (count) => ours("unframed compact", bound.port, pauseMs, over.signal, count));
  run("THeader", (count) => ours("header compact", bound.port, pauseMs, over.signal, count));
  run("Apache's Node client, framed", (count) => apaches(bound.port, pauseMs, over.signal, count));
  let stopMs = 0;
  for (let upgrade = 0; upgrade < upgrades; upgrade++) {
    const old = serving;
    serving = await start();
    await pause(200);
    const begun = performance.now();
    old.kill();
    const { code } = await old.exited(60_000);
    stopMs = Math.max(stopMs, performance.now() - begun);
    if (code !== 0) console.log(`a stop ended with ${code}`);
  }
  over.abort();
  await Promise.all(running);
  await serving[Symbol.asyncDispose]();
  console.log(
    `\n${upgrades} upgrades, ${connections} connections of each kind, ${pauseMs} ms between calls; the longest stop took ${Math.round(stopMs)} ms`,
  );
  for (const [name, { answered, lost }] of Object.entries(counts))
    console.log(
      `  ${name}: ${answered} calls answered, ${lost} lost (${(lost / upgrades / connections).toFixed(3)} for a connection and upgrade)`,
    );
}
