// Calls `echo` in closed loops for some seconds, with one client or the other: client-load.js ours|apache PORT LOOPS SECONDS
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { loadService, makeClient } from "tsserve/thrift";

const [kind, port, loops, seconds] = process.argv.slice(2);
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
let answered = 0;
let end = Number.POSITIVE_INFINITY;
const loop = async (call) => {
  while (performance.now() < end) {
    await call();
    answered += 1;
  }
};
const running = Promise.all(calls.map(loop));
await new Promise((resolve) => setTimeout(resolve, 700));
answered = 0;
const [begun, cpu] = [performance.now(), process.cpuUsage()];
end = begun + Number(seconds) * 1000;
await running;
const { user, system } = process.cpuUsage(cpu);
process.send({ rps: (answered / (performance.now() - begun)) * 1000, cpuMicros: (user + system) / answered });
process.exit(0);
