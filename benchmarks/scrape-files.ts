// What does a scrape of many workers cost whoever answers it? Their files are written first; then one process reads, merges and
// prints them, as an exporter does, and its event loop is watched.
// node --import tsx benchmarks/scrape-files.ts [WORKERS] [SERIES of each] [SCRAPES]
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { identity } from "../packages/metrics/dist/folder.js";
import { pagesOf } from "../packages/metrics/dist/pages.js";
import { keepMetrics, type KeptMetrics } from "./keep-metrics.ts";
import { median } from "./servers.ts";

const workers = Number(process.argv[2] ?? 16);
const series = Number(process.argv[3] ?? 10_000);
const scrapes = Number(process.argv[4] ?? 30);
const folder = mkdtempSync(join(tmpdir(), "tsserve-scrape-"));
const family = { name: "many_total", help: "Many.", type: "counter" } as const;

function keep(workerIndex: number, owner: { readonly pid: number; readonly startedAt: number }): KeptMetrics {
  return keepMetrics(folder, workerIndex, owner, (meter) => {
    for (let n = 0; n < series; n++) meter.counter(family, { a: `value ${n % 100}`, b: `other ${n}` }).add(n);
  });
}

for (let worker = 1; worker < workers; worker++) keep(worker, { pid: 1_000_000_000 + worker, startedAt: 1 }).keeper.abandon();
const { keeper, view } = keep(0, identity(process.pid));
const pages = pagesOf({ view, access: "nobody", health: undefined, fleet: () => ({}), history: () => Promise.resolve({}) });
const scrape = async (): Promise<void> => {
  const { body } = (await pages.get("/metrics")?.({ headers: {} } as never)) ?? { body: "" };
  if (body.toString().split("\nmany_total").length - 1 < series) throw new Error("series are missing");
};
const first = performance.now();
await scrape();
console.log(`the first scrape of ${workers} x ${series} series, which reads all names: ${(performance.now() - first).toFixed(0)} ms`);
for (let n = 0; n < 5; n++) await scrape();
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
const took: number[] = [];
const used: number[] = [];
for (let n = 0; n < scrapes; n++) {
  const [begun, cpu] = [performance.now(), process.cpuUsage()];
  await scrape();
  took.push(performance.now() - begun);
  const { user, system } = process.cpuUsage(cpu);
  used.push((user + system) / 1000);
  await new Promise((resolve) => setTimeout(resolve, 50));
}
delay.disable();
console.log(
  `a scrape: median ${median(took).toFixed(1)} ms, ${median(used).toFixed(1)} ms of CPU time; the event loop was held for ${(delay.percentile(99) / 1e6).toFixed(1)} ms (99 %), ${(delay.max / 1e6).toFixed(1)} ms at most`,
);
await keeper.stop();
rmSync(folder, { recursive: true });
