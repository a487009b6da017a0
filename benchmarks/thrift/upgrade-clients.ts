// Clients in closed loops that pause for so long between their calls, of each kind so many: upgrade-clients.ts PORT PAUSE CONNECTIONS
// Reports what was answered and what was lost when its parent sends it a message.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { makeTemporaryFolder } from "@tsserve/testing";
import { loadService, makeClient, type ClientForm } from "tsserve/thrift";

const [port = 0, pauseMs = 0, connections = 0] = process.argv.slice(2).map(Number);

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
const fixtures = fileURLToPath(new URL("../../test/fixtures/thrift/", import.meta.url));
const Bench: unknown = require(`${fixtures}gen-nodejs/Bench.js`);
const bench = loadService(`${fixtures}bench.thrift`, "Bench");

/** What became of the calls of one kind of client. */
export interface Count {
  answered: number;
  /** Each with the milliseconds that the client had really paused before it. */
  readonly lost: number[];
}

const counts: Record<string, Count> = {};
const over = new AbortController();
const running: Promise<void>[] = [];

const pause = (): Promise<void> =>
  pauseMs === 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, pauseMs + Math.random()));

/** Counts a call, and says when it was over. */
async function counted(count: Count, answeredAt: number, call: Promise<unknown>): Promise<number> {
  const pausedMs = performance.now() - answeredAt;
  try {
    await call;
    count.answered += 1;
  } catch {
    count.lost.push(pausedMs);
  }
  return performance.now();
}

/** Our own client, one connection. */
async function ours(form: ClientForm, count: Count): Promise<void> {
  const client = makeClient(bench, { endpoint: `127.0.0.1:${port}`, form, size: 1, timeoutMs: 10_000 });
  for (let answeredAt = performance.now(); !over.signal.aborted; await pause())
    answeredAt = await counted(count, answeredAt, client.call("add_later", [1, 2, 1]));
  client.close();
}

/** Lets Node read what has come. A timer's code may run before the end of a connection that came while this process slept or was busy. */
const readWhatCame = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

/** Apache's client, on a new connection as soon as it sees that the one it has is closed; it may look before each call. */
async function apaches(count: Count, looks: boolean): Promise<void> {
  while (!over.signal.aborted) {
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
    for (let answeredAt = performance.now(); !over.signal.aborted && !closed.signal.aborted; await pause()) {
      if (looks) await readWhatCame();
      if (closed.signal.aborted) break;
      const answer = new Promise((resolve, reject) => {
        waiting.reject = reject;
        client.add_later(1, 2, 1).then(resolve, reject);
      });
      answeredAt = await counted(count, answeredAt, answer);
    }
    connection.end();
  }
}

const run = (name: string, each: (count: Count) => Promise<void>): void => {
  const count = (counts[name] = { answered: 0, lost: [] });
  for (let index = 0; index < connections; index++) running.push(each(count));
};
run("framed binary", (count) => ours("framed binary", count));
run("unframed compact", (count) => ours("unframed compact", count));
run("THeader", (count) => ours("header compact", count));
run("Apache's Node client, framed", (count) => apaches(count, false));
run("the same, which looks before each call", (count) => apaches(count, true));

/** Threads that wait for their answers, in a process of their own. */
async function pythons(name: string): Promise<void> {
  const generated = makeTemporaryFolder({});
  spawnSync("thrift", ["--gen", "py", "-out", generated.path, `${fixtures}bench.thrift`]);
  const args = [fileURLToPath(new URL("upgrade_clients.py", import.meta.url)), port, pauseMs, connections, generated.path].map(String);
  const child = spawn("/usr/bin/python3", args, { stdio: ["pipe", "pipe", "inherit"] });
  const printed = text(child.stdout);
  await once(over.signal, "abort");
  child.stdin.end();
  counts[name] = JSON.parse(await printed) as Count;
}
if (spawnSync("/usr/bin/python3", ["-c", "import thrift"]).status === 0 && spawnSync("thrift", ["--version"]).status === 0)
  running.push(pythons("Apache's Python client, framed"));

process.once("message", () => {
  over.abort();
  void Promise.all(running).then(() => {
    process.send?.(counts);
    process.disconnect();
  });
});
