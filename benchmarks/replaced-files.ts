// Do the files of workers that are replaced again and again cost their successors more and more? In one process: each "worker"
// counts, has gauges with a pid of its own, writes and is abandoned as by kill -9. Beside them lives one that answers scrapes.
// node --expose-gc --import tsx benchmarks/replaced-files.ts [REPLACEMENTS of each of 4]
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { identity } from "../packages/metrics/dist/folder.js";
import { print } from "../packages/metrics/dist/print.js";
import { keepMetrics, type KeptMetrics } from "./keep-metrics.ts";

const replacements = Number(process.argv[2] ?? 1000);
const folder = mkdtempSync(join(tmpdir(), "tsserve-replaced-"));

function live(workerIndex: number, owner: { readonly pid: number; readonly startedAt: number }): KeptMetrics {
  return keepMetrics(folder, workerIndex, owner, (meter) => {
    for (let n = 0; n < 20; n++)
      meter.gauge({ name: `runtime_figure_${n}`, help: "", type: "gauge" }, { hostname: "host", pid: String(owner.pid) }).set(n);
    for (let n = 0; n < 30; n++) {
      meter.counter({ name: "requests_total", help: "", type: "counter" }, { endpoint: String(n) }).add(1);
      meter
        .histogram({ name: "took_seconds", help: "", type: "histogram", buckets: [0.01, 0.1, 1] }, { endpoint: String(n) })
        .observe(0.05);
    }
  });
}

const watcher = live(9, identity(process.pid));
console.log("replacements of each  files  kB     series  start of a successor  heap of who answers");
let took: number[] = [];
for (let round = 1; round <= replacements; round++) {
  for (let worker = 0; worker < 4; worker++) {
    const begun = performance.now();
    const { keeper } = live(worker, { pid: 1_000_000_000 + round * 4 + worker, startedAt: round });
    took.push(performance.now() - begun);
    keeper.abandon();
  }
  if (round % 100 !== 0 && round !== 10) continue;
  const text = await watcher.view.ask("t", ({ families }) => Promise.resolve(print(families, "prometheus")));
  global.gc?.();
  const names = readdirSync(folder);
  const bytes = names.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  const median = took.sort((a, b) => a - b)[took.length >> 1] ?? 0;
  const cells = [
    round,
    names.length,
    (bytes / 1024).toFixed(1),
    text.split("\n").length,
    `${median.toFixed(2)} ms`,
    `${(process.memoryUsage().heapUsed / 2 ** 20).toFixed(2)} MB`,
  ];
  if (round === 10 || round === 100 || round % 500 === 0) console.log(cells.join("\t"));
  took = [];
}
await watcher.keeper.stop();
rmSync(folder, { recursive: true });
