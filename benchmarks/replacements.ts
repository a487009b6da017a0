// Does a counter ever decrease, and does anything pile up? Workers are replaced again and again, killed and gracefully, under load,
// while two scrapers compare each counter with what they saw before. Every hundred replacements: what a scrape holds, the
// folder, the heaps of the workers after it, and how long an upgrade took.
// node --import tsx benchmarks/replacements.ts [REPLACEMENTS] [MINUTES_AT_MOST] [MILLISECONDS_BETWEEN_SCRAPES]
// An upgrade is ordered as soon as the one before it was answered: its old workers are still leaving then. Whoever wants thousands
// lets the scrapers and the client rest (100 ms): the machine's time goes to workers.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { setTimeout } from "node:timers/promises";
import { freePort, load, makeTemporaryFolder, spawnTsserve, until } from "@tsserve/testing";
import { median } from "./servers.ts";

const replacements = Number(process.argv[2] ?? 1000);
const endsAt = performance.now() + Number(process.argv[3] ?? 24 * 60) * 60_000;
const restMs = Number(process.argv[4] ?? 20);
/** Killed workers wait for their successors, the longer the younger they were: most are replaced by upgrades. */
const upgradesForAKill = 5;
const metrics = await freePort();
const port = await freePort();
const folder = makeTemporaryFolder({
  "app.js": 'exports.makeApp = () => (request, response) => response.end("done");',
  "app.ini": `[server:main]\nfactory = tsserve/http\naccess_log = false\nupgrade = fleet\nmetrics.endpoint = 127.0.0.1:${metrics}\n[app:main]\nfactory = ./app.js\n`,
});
const socket = `${folder.path}/ctl.sock`;
await using server = spawnTsserve({
  args: ["app.ini", "--bind", `127.0.0.1:${port}`, "--workers", "4", "--socket", socket],
  cwd: folder.path,
});
await until("the workers", () => server.logs().filter(({ msg }) => msg.endsWith(" is up")).length === 4);

interface Status {
  readonly workers: readonly { readonly pid: number; readonly state: string }[];
}

/** One line to the master, and its answer. */
const order = (command: string): Promise<unknown> =>
  new Promise((resolve, reject) => {
    let text = "";
    const client = connect(socket, () => client.write(`{"command":"${command}"}\n`));
    client.on("error", reject);
    client.on("data", (bytes: Buffer) => {
      text += bytes.toString();
      if (!text.endsWith("\n")) return;
      client.destroy();
      resolve(JSON.parse(text));
    });
  });
/** What the main thread of a process has taken so far; of one that has gone, what counts for nothing. */
function cpuMs(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[0]) / 1e6;
  } catch {
    return Number.NaN;
  }
}
const settled = (): Promise<Status> =>
  until(
    "four workers",
    async () => {
      const status = (await order("status")) as Status;
      return status.workers.length === 4 && status.workers.every(({ state }) => state === "up") ? status : undefined;
    },
    { timeoutMs: 60_000 },
  );

const end = new AbortController();
let decreases = 0;
let scrapes = 0;
let cut = 0;
async function watch(): Promise<void> {
  let last = new Map<string, number>();
  while (!end.signal.aborted) {
    const text = await fetch(`http://127.0.0.1:${metrics}/metrics`)
      .then((response) => response.text())
      .catch(() => undefined);
    if (text === undefined) {
      cut += 1;
      continue;
    }
    const now = new Map<string, number>();
    for (const line of text.split("\n")) {
      const space = line.lastIndexOf(" ");
      if (/^\w+(?:_total|_count|_sum|_bucket)\b/.test(line)) now.set(line.slice(0, space), Number(line.slice(space + 1)));
    }
    for (const [series, value] of last) {
      if ((now.get(series) ?? -1) >= value) continue;
      decreases += 1;
      console.log(`${series}: ${value}, then ${now.get(series)}`);
    }
    last = now;
    scrapes += 1;
    await setTimeout(restMs);
  }
}
/** Requests, each over a connection of its own: so many were answered. */
async function ask(): Promise<number> {
  let answered = 0;
  while (!end.signal.aborted) {
    const { ok } = await load({ port, clients: 1, keepAlive: false, expect: "done", signal: AbortSignal.timeout(restMs) });
    answered += ok;
    await setTimeout(restMs);
  }
  return answered;
}
const watching = Promise.all([watch(), watch(), ask(), ask()]);

interface Sample {
  readonly series: number;
  readonly scrapeBytes: number;
  readonly files: number;
  readonly folderBytes: number;
  /** The smallest of four workers: what the others have beside it is garbage. */
  readonly heapBytes: number;
  /** Of the upgrades since the sample before: the median. */
  readonly upgradeMs: number;
  /** What the main thread of a worker had taken when its upgrade was over: the median. It tells more than time on a busy machine. */
  readonly startCpuMs: number;
  /** So far. */
  readonly decreases: number;
  readonly scrapes: number;
}

let upgradesMs: number[] = [];
let startsCpuMs: number[] = [];
async function sample(): Promise<Sample> {
  // Gauges are up to a second old: those of the four that are there now, and of nobody else.
  const text = await until("the gauges of four workers", async () => {
    const page = await (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text();
    const { workers } = (await order("status")) as Status;
    const told = [...page.matchAll(/^runtime_heap_used_bytes\{.*pid="(\d+)".*\} \S+$/gm)].map(([, pid]) => Number(pid));
    return told.length === 4 && workers.every(({ pid }) => told.includes(pid)) ? page : undefined;
  });
  const name = readdirSync(tmpdir()).find((each) => each.startsWith(`tsserve-metrics-${server.pid}-`));
  const names = readdirSync(`${tmpdir()}/${name}`);
  const heaps = [...text.matchAll(/^runtime_heap_used_bytes\{.*\} (\S+)$/gm)].map(([, value]) => Number(value));
  const upgradeMs = median(upgradesMs);
  const startCpuMs = Math.round(median(startsCpuMs.filter((each) => !Number.isNaN(each))));
  upgradesMs = [];
  startsCpuMs = [];
  return {
    series: text.split("\n").filter((line) => line !== "" && !line.startsWith("#")).length,
    scrapeBytes: text.length,
    files: names.length,
    folderBytes: names.reduce((sum, each) => sum + (statSync(`${tmpdir()}/${name}/${each}`, { throwIfNoEntry: false })?.size ?? 0), 0),
    heapBytes: Math.min(...heaps),
    upgradeMs: Math.round(upgradeMs),
    startCpuMs,
    decreases,
    scrapes,
  };
}

let done = 0;
let killed = 0;
const samples: Sample[] = [];
for (let round = 1; done < replacements && performance.now() < endsAt; round++) {
  if (round % (upgradesForAKill + 1) === 0) {
    const { workers } = await settled();
    // Two of the four: the others answer scrapes.
    for (const { pid } of workers.slice(0, 2)) process.kill(pid, "SIGKILL");
    const gone = new Set(workers.slice(0, 2).map(({ pid }) => pid));
    await until("them to have gone", async () => !((await order("status")) as Status).workers.some(({ pid }) => gone.has(pid)));
    done += 2;
    killed += 2;
  } else {
    const begun = performance.now();
    await order("upgrade");
    upgradesMs.push(performance.now() - begun);
    const { workers } = (await order("status")) as Status;
    for (const { pid, state } of workers) if (state === "up") startsCpuMs.push(cpuMs(pid));
    done += 4;
  }
  if (done < (samples.length + 1) * 100) continue;
  await settled();
  const taken = await sample();
  samples.push(taken);
  console.log(done, JSON.stringify(taken));
}
await settled();
end.abort();
const [, , ...answered] = await watching;
console.log(
  `${done} replacements (${killed} by kill -9), ${scrapes} scrapes by two scrapers, ${answered.reduce((sum, each) => sum + each)} requests: ${decreases} decreases; ${cut} scrapes cut by a kill; at most ${Math.max(...samples.map(({ files }) => files))} files`,
);
server.kill("SIGTERM");
await server.exited(30_000);
folder.remove();
