import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import type { HeapProfiler } from "node:inspector";
import { createRequire } from "node:module";
import { join } from "node:path";
import { setHeapSnapshotNearHeapLimit, writeHeapSnapshot } from "node:v8";
import type { MetricsLog } from "../keeper.ts";
import { drawGrowth } from "./draw-growth.ts";
import { slowReportIntervalMs, type Reporter } from "./schedule.ts";

/** One sample for so many bytes that are allocated, on average. */
const samplingIntervalBytes = 32 * 1024;
const mostPictures = 60;
const mostSnapshots = 3;
/** Whoever puts a file of this name into the folder gets a heap snapshot. */
const demandName = "snapshot";
const named = 5;
const drawn = 20;

/** A place in the code where memory was allocated that is still in use. */
export interface CallSite {
  readonly name: string;
  /** By interval, the latest last: what of it is still there, in bytes. */
  readonly history: readonly number[];
  /** Since the interval before. */
  readonly growth: number;
}

/**
 * What keeps growing. V8 collects cycles, so what matters is what is still there after a collection: at each report, the
 * call sites that allocated it are compared with those of the report before.
 */
export function refcycleReporter(folder: string, log: MetricsLog): Reporter {
  mkdirSync(folder, { recursive: true });
  // Loaded by those who debug alone.
  const { Session } = createRequire(import.meta.url)("node:inspector") as typeof import("node:inspector");
  const session = new Session();
  session.connect();
  session.post("HeapProfiler.startSampling", { samplingInterval: samplingIntervalBytes });
  setHeapSnapshotNearHeapLimit(1);
  const histories = new Map<string, number[]>();
  let intervals = 0;
  const look = (head: HeapProfiler.SamplingHeapProfileNode): void => {
    const sizes = sizesByCallSite(head);
    intervals += 1;
    for (const [name, history] of histories) history.push(sizes.get(name) ?? 0);
    for (const [name, size] of sizes)
      if (!histories.has(name)) histories.set(name, [...Array.from({ length: intervals - 1 }, () => 0), size]);
    for (const [name, history] of histories) {
      if (history.every((size) => size === 0)) histories.delete(name);
      if (history.length > mostPictures) history.shift();
    }
    intervals = Math.min(intervals, mostPictures - 1);
    const sites = [...histories].map(([name, history]): CallSite => ({
      name,
      history,
      growth: (history.at(-1) ?? 0) - (history.at(-2) ?? 0),
    }));
    tell(sites, folder, log);
  };
  return {
    name: "monitoring.gc.refcycle",
    everyMs: slowReportIntervalMs,
    report: () => {
      takeDemanded(folder, log);
      session.post("HeapProfiler.getSamplingProfile", (error, result) => {
        try {
          if (error !== null) throw error;
          look(result.profile.head);
        } catch (err) {
          log.warn({ err }, "monitoring.gc.refcycle: what grows can't be told");
        }
      });
    },
    end: () => session.disconnect(),
  };
}

function tell(sites: readonly CallSite[], folder: string, log: MetricsLog): void {
  const growing = sites.filter(({ growth }) => growth > 0).sort((a, b) => b.growth - a.growth);
  const file = join(folder, `growth-${process.pid}-${Date.now()}.svg`);
  writeFileSync(file, drawGrowth([...sites].sort((a, b) => b.growth - a.growth).slice(0, drawn)));
  keepLatest(folder, /^growth-\d+-(\d+)\.svg$/, mostPictures);
  const top = growing.slice(0, named).map(({ name, growth }) => `${name} +${Math.round(growth / 1024)} kB`);
  log.info({ picture: file, growing: top }, `what grows: ${top.length === 0 ? "nothing" : top.join(", ")}`);
}

/** Memory that is still in use, by the function that asked for it and where that is. */
function sizesByCallSite(head: HeapProfiler.SamplingHeapProfileNode): Map<string, number> {
  const sizes = new Map<string, number>();
  const open = [head];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    open.push(...node.children);
    if (node.selfSize === 0) continue;
    const { functionName, url, lineNumber } = node.callFrame;
    const name = `${functionName || "(anonymous)"} (${url === "" ? "native" : `${url.replace(/^file:\/\//, "")}:${lineNumber + 1}`})`;
    sizes.set(name, (sizes.get(name) ?? 0) + node.selfSize);
  }
  return sizes;
}

/** A snapshot holds the process up for seconds: only when somebody asks for it. */
function takeDemanded(folder: string, log: MetricsLog): void {
  const demand = join(folder, demandName);
  if (!existsSync(demand)) return;
  // One process answers: the one that takes it away.
  rmSync(demand);
  const file = writeHeapSnapshot(join(folder, `heap-${process.pid}-${Date.now()}.heapsnapshot`));
  keepLatest(folder, /^heap-\d+-(\d+)\.heapsnapshot$/, mostSnapshots);
  log.info({ snapshot: file }, `a heap snapshot is written: ${file}`);
}

function keepLatest(folder: string, pattern: RegExp, count: number): void {
  const files = readdirSync(folder).flatMap((name) => {
    const at = pattern.exec(name)?.[1];
    return at === undefined ? [] : [{ name, at: Number(at) }];
  });
  for (const { name } of files.sort((a, b) => b.at - a.at).slice(count)) rmSync(join(folder, name), { force: true });
}
