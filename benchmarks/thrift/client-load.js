// Calls `echo` in closed loops, with one client or the other, for so many seconds as each message says: client-load.js ours|apache PORT LOOPS
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { loadService, makeClient } from "tsserve/thrift";

const [kind, port, loops] = process.argv.slice(2);
const fixtures = fileURLToPath(new URL("../../test/fixtures/thrift/", import.meta.url));
const items = Array.from({ length: 20 }, (_, id) => ({
  id,
  name: `item-number-${id}`,
  score: id * 1.25,
  active: id % 2 === 0,
  created_at: 1_700_000_000_000 + id,
}));
const payload = {
  id: 4711,
  big: 4711,
  title: "The quick brown fox jumps over the lazy dog",
  flag: true,
  ratio: 2.5,
  small: -1234,
  tiny: 77,
  blob: Buffer.alloc(64, 7),
  tags: ["alpha", "beta", "gamma", "delta", "epsilon"],
  counters: { requests: 123_456_789, errors: 42, retries: 7, bytes: 9_876_543_210 },
  items,
  colour: 2,
};

/** @type {Record<string, () => (() => Promise<unknown>)[]>} */
const kinds = {
  ours() {
    const service = loadService(`${fixtures}bench.thrift`, "Bench");
    const client = makeClient(service, { endpoint: `127.0.0.1:${port}`, form: "framed binary", size: Number(loops), timeoutMs: 10_000 });
    return Array.from({ length: Number(loops) }, () => () => client.methods.echo(payload));
  },
  apache() {
    const require = createRequire(import.meta.url);
    const thrift = require("thrift");
    const { Payload, Item } = require(`${fixtures}gen-nodejs/bench_types.js`);
    const given = new Payload({ ...payload, items: items.map((item) => new Item(item)) });
    return Array.from({ length: Number(loops) }, () => {
      const connection = thrift.createConnection("127.0.0.1", Number(port), {
        transport: thrift.TFramedTransport,
        protocol: thrift.TBinaryProtocol,
      });
      const client = thrift.createClient(require(`${fixtures}gen-nodejs/Bench.js`), connection);
      return () => client.echo(given);
    });
  },
};

const calls = kinds[kind]();
const leadMs = 100;
let answered = 0;

async function loop(call, over) {
  while (!over.aborted) {
    await call();
    answered += 1;
  }
}

async function slice(seconds) {
  const over = new AbortController();
  const running = Promise.all(calls.map((call) => loop(call, over.signal)));
  await new Promise((resolve) => setTimeout(resolve, leadMs));
  const [begun, before, cpu] = [performance.now(), answered, process.cpuUsage()];
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const { user, system } = process.cpuUsage(cpu);
  const [count, elapsed] = [answered - before, performance.now() - begun];
  over.abort();
  await running;
  return { rps: (count / elapsed) * 1000, cpuMicros: (user + system) / count };
}

process.on("message", (seconds) => {
  void slice(seconds).then((figures) => process.send(figures));
});
process.on("disconnect", () => process.exit(0));
process.send("ready");
