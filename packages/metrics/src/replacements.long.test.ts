import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Meter } from "@tsserve/server";
import { expect, test } from "vitest";
import { Definitions } from "./definitions.ts";
import { processGauges } from "./reporters/process-gauges.ts";
import { Keeper } from "./keeper.ts";
import { print } from "./print.ts";
import { identityOf, type ProcessIdentity } from "./process-identity.ts";
import { View } from "./view.ts";

/** 4000 take some two minutes. */
const replacements = Number(process.env["REPLACEMENTS"] ?? 1000);
const workers = 4;
const log = { debug: () => undefined, info: () => undefined, warn: () => undefined };
const latency = { name: "took_seconds", help: "", type: "histogram", buckets: [0.01, 0.1, 1] } as const;

/** A process of a worker: it counts, has gauges with its pid, writes, and is killed without a word. */
function live(folder: string, workerIndex: number, owner: ProcessIdentity): { keeper: Keeper; view: View } {
  const meter = new Meter();
  const gauges = processGauges(meter, "host", owner.pid);
  for (let n = 0; n < 20; n++) gauges.set(`runtime_figure_${n}`, "", n);
  for (let n = 0; n < 30; n++) {
    meter.counter({ name: "requests_total", help: "", type: "counter" }, { endpoint: String(n) }).add(1);
    meter.histogram(latency, { endpoint: String(n) }).observe(0.05);
  }
  const definitions = new Definitions();
  const keeper = new Keeper({
    meter,
    owner,
    workerIndex,
    folder,
    remakeFolder: () => folder,
    definitions,
    registries: () => [],
    sample: () => undefined,
    log,
  });
  keeper.start();
  return { keeper, view: new View({ keeper, definitions, pid: owner.pid, log }) };
}

test(`${replacements} replacements of each of ${workers} workers: series, files and their sizes stay as they were, and no sum goes down`, async () => {
  const folder = mkdtempSync(join(tmpdir(), "tsserve-replacements-"));
  const own = identityOf(process.pid) as ProcessIdentity;
  // It lives as long as the master does, and answers all scrapes: what it knows of the dead must not pile up.
  const watcher = live(folder, 9, own);
  const sizes: { readonly files: number; readonly bytes: number; readonly series: number }[] = [];
  let last = 0;
  for (let round = 0; round < replacements; round++) {
    for (let worker = 0; worker < workers; worker++) {
      const { keeper } = live(folder, worker, { pid: 1_000_000_000 + round * workers + worker, startedAt: 1 + round });
      // Killed: its descriptors are closed by the kernel, its gauges stay.
      keeper.abandon();
    }
    if (round % 100 !== 99) continue;
    const text = await watcher.view.ask("t", ({ families }) => Promise.resolve(print(families, "prometheus")));
    const total = Number(/^requests_total\{endpoint="7"\} (\d+)$/m.exec(text)?.[1]);
    expect(total).toBe(1 + workers * (round + 1));
    expect(total).toBeGreaterThan(last);
    last = total;
    const names = readdirSync(folder);
    sizes.push({
      files: names.length,
      bytes: names.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0),
      series: text.split("\n").length,
    });
  }
  const [first, ...others] = sizes;
  for (const key of ["files", "bytes", "series"] as const)
    for (const each of others) expect(Math.abs(each[key] - (first?.[key] ?? 0)), key).toBeLessThanOrEqual(0.1 * (first?.[key] ?? 0));
  await watcher.keeper.stop();
  rmSync(folder, { recursive: true });
});
