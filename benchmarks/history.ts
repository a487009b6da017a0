// What does keeping the last hour cost a worker? An hour of a busy one, second by second as `WorkerMetrics` has it, in a process of
// its own, in turn with the same without: CPU time for each second of its life, and the memory that it has at the end.
// node --expose-gc --import tsx benchmarks/history.ts [ROUNDS]
import { fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ActiveRequest, ActiveRequests, latencyBuckets, Meter, type RequestDescription } from "@tsserve/server";
import { makeTemporaryFolder } from "@tsserve/testing";
import { identity } from "../packages/metrics/dist/folder.js";
import { Historian } from "../packages/metrics/dist/history/historian.js";
import { beatMs } from "../packages/metrics/dist/pulse.js";
import { spread } from "./thrift/spread.ts";

const rounds = Number(process.argv[2] ?? 9);
const secondsOfLife = 3600;
const beatsASecond = 1000 / beatMs;
const endpoints = 100;

class Busy extends ActiveRequest {
  describe(): RequestDescription {
    return { method: "GET", route: "/orders/:id", ageMs: 25, client: "192.0.2.1" };
  }
}

const meter = new Meter();
const requests = new ActiveRequests();
for (let n = 0; n < 20; n++) requests.add(new Busy());
const total = { name: "http_server_requests_total", help: "", type: "counter" } as const;
const latency = { name: "http_server_latency_seconds", help: "", type: "histogram", buckets: latencyBuckets } as const;
const series = Array.from({ length: endpoints }, (_, n) => {
  const labels = { http_method: "get", http_endpoint: `/orders/${n}/:id`, http_success: "true" };
  return { count: meter.counter(total, { ...labels, http_response_code: "200" }), took: meter.histogram(latency, labels) };
});

/** Lives for so long; gives the microseconds of CPU that a second of it took. */
function live(historian: Historian | undefined, since: number): number {
  const before = process.cpuUsage();
  for (let second = 1; second <= secondsOfLife; second++) {
    const now = since + second * 1000;
    const request = new Busy();
    requests.add(request);
    for (const { count, took } of series) {
      count.add(1);
      took.observe(0.02);
    }
    for (let beat = 0; beat < beatsASecond; beat++) historian?.beat(now);
    historian?.second(now);
    if (second % 10 === 0) historian?.point(now);
    requests.delete(request);
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / secondsOfLife;
}

interface Figures {
  /** Microseconds for each second of its life. */
  readonly cpu: number;
  /** After a collection, with what buffers hold. */
  readonly heap: number;
  /** After a collection: private pages that were written to. */
  readonly resident: number;
}

/**
 * Both have the same room for young objects, and have used all of it: how far that room has grown, and how much of it was
 * ever written to, is chance, and more than what is looked for.
 */
const flags = ["--min-semi-space-size=2", "--max-semi-space-size=2", "--single-threaded", "--hash-seed=1", "--random-seed=1"];
function touchYoungSpace(): void {
  let kept: object[] = [];
  for (let n = 0; n < 1_000_000; n++) {
    kept.push({ n });
    if (kept.length === 1000) kept = [];
  }
}

/** What only this process has, in bytes: pages that it shares with others of its kind, Node's own code, are not its cost. */
function privateBytes(): number {
  const text = readFileSync("/proc/self/smaps_rollup", "utf8");
  return 1024 * Number(/^Private_Dirty: +(\d+) kB$/m.exec(text)?.[1]);
}

/** The life of one process. */
function lifeOf(keepsHistory: boolean): Figures {
  const folder = makeTemporaryFolder();
  const start = Date.now();
  const options = {
    meter,
    requests,
    owner: identity(process.pid),
    workerIndex: 0,
    folder: folder.path,
    base: "0",
    mask: (text: string) => text,
  };
  const cpu = live(keepsHistory ? new Historian(options, start) : undefined, start);
  folder.remove();
  touchYoungSpace();
  for (let n = 0; n < 3; n++) global.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return { cpu, heap: heapUsed + external, resident: privateBytes() };
}

/** What one has more than the other, of so many pairs. */
async function compare(): Promise<void> {
  const differences: Figures[] = [];
  for (let round = 0; round < rounds; round++) {
    const found = new Map<string, Figures>();
    for (const kind of round % 2 === 0 ? ["off", "on"] : ["on", "off"]) {
      const child = fork(fileURLToPath(import.meta.url), [kind], {
        execArgv: [...process.execArgv, ...flags],
        env: { ...process.env, MALLOC_ARENA_MAX: "1", UV_THREADPOOL_SIZE: "1" },
      });
      const [figures] = (await once(child, "message")) as [Figures];
      found.set(kind, figures);
      await once(child, "exit");
    }
    const [on, off] = [found.get("on"), found.get("off")] as [Figures, Figures];
    differences.push({ cpu: on.cpu - off.cpu, heap: on.heap - off.heap, resident: on.resident - off.resident });
  }
  const of = (key: keyof Figures, unit: number): number[] => differences.map((each) => each[key] / unit);
  console.log(`${spread(of("cpu", 10_000), 4)} % of a core, median of ${rounds} hours (quartiles)`);
  console.log(`heap and buffers ${spread(of("heap", 1024), 0)} kB, private pages ${spread(of("resident", 1024), 0)} kB more than without`);
}

if (process.argv[2] === "on" || process.argv[2] === "off") process.send?.(lifeOf(process.argv[2] === "on"));
else await compare();
