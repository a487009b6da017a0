// What does a scrape of many series cost? Workers with so many series each, of which every tenth grows between two scrapes, against one
// `register.metrics()` of as many in one process; how long the event loops are held, by the CPU time that the main thread uses between
// two of its timers, and how late those timers are; the same where all grow and nobody scrapes; and what a worker that stands still adds.
// node --import tsx benchmarks/scrape.ts [SERIES] [SCRAPES] [WORKERS]
import { execFileSync } from "node:child_process";
import { freePort, makeTemporaryFolder, spawnTsserve, until } from "@tsserve/testing";
import { median, node } from "./servers.ts";

const series = Number(process.argv[2] ?? 10_000);
const scrapes = Number(process.argv[3] ?? 30);
const workerCount = Number(process.argv[4] ?? 4);
const promClient = new URL("../node_modules/prom-client/index.js", import.meta.url).pathname;

const fill = `import prom from "${promClient}";
const counter = new prom.Counter({ name: "many_total", help: "Many.", labelNames: ["a", "b"] });
const grow = (every) => {
  for (let n = 0; n < ${series}; n += every) counter.inc({ a: "value " + (n % 100), b: "other " + n }, n);
};
grow(1);
`;

/** One process, in milliseconds. */
function alone(): number {
  const script = `${fill}
const took = [];
for (let n = 0; n < ${scrapes}; n++) {
  const begun = performance.now();
  await prom.register.metrics();
  took.push(performance.now() - begun);
  grow(10);
}
console.log(took.sort((a, b) => a - b)[took.length >> 1]);`;
  return Number(execFileSync(node, ["--input-type=module", "-e", script], { encoding: "utf8" }));
}

const metrics = await freePort();
const port = await freePort();
const folder = makeTemporaryFolder({
  "package.json": '{"type":"module"}',
  "app.js": `${fill}
import { readFileSync } from "node:fs";
const everyMs = 4;
// The first figure is how long this thread has run, in nanoseconds.
const cpuMs = () => Number(readFileSync("/proc/thread-self/schedstat", "latin1").split(" ", 1)[0]) / 1e6;
let held = 0, late = 0, used = cpuMs(), turned = performance.now();
setInterval(() => {
  const [cpu, now] = [cpuMs(), performance.now()];
  held = Math.max(held, cpu - used);
  late = Math.max(late, now - turned - everyMs);
  [used, turned] = [cpu, now];
}, everyMs);
export const makeApp = () => (request, response) => {
  if (request.url === "/reset") [held, late, used, turned] = [0, 0, cpuMs(), performance.now()];
  if (request.url === "/grow") grow(10);
  response.end(JSON.stringify({ pid: process.pid, held, late }));
};`,
  "app.ini": `[server:main]\nfactory = tsserve/http\naccess_log = false\nmetrics.endpoint = 127.0.0.1:${metrics}\n[app:main]\nfactory = ./app.js\n`,
});
await using server = spawnTsserve({ args: ["app.ini", "--bind", `127.0.0.1:${port}`, "--workers", String(workerCount)], cwd: folder.path });
await until("the workers", () => server.logs().filter(({ msg }) => msg.endsWith(" is up")).length === workerCount, { timeoutMs: 60_000 });

const scrape = async (): Promise<number> => {
  const begun = performance.now();
  const text = await (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text();
  const ms = performance.now() - begun;
  if (text.split("\nmany_total").length - 1 < series) throw new Error("series are missing");
  return ms;
};
interface Loop {
  readonly pid: number;
  readonly held: number;
  readonly late: number;
}
const worker = async (path: string): Promise<Loop> =>
  (await (await fetch(`http://127.0.0.1:${port}${path}`, { headers: { Connection: "close" } })).json()) as Loop;
const all = async (path: string): Promise<Loop[]> => {
  const found = new Map<number, Loop>();
  while (found.size < workerCount) {
    const answer = await worker(path);
    found.set(answer.pid, answer);
  }
  return [...found.values()];
};

await until(
  "all to be written",
  () =>
    scrape().then(
      () => true,
      () => undefined,
    ),
  { timeoutMs: 60_000 },
);
for (let n = 0; n < 10; n++) await scrape();
const one = alone();
const rounds = async (doScrape: boolean): Promise<{ took: number[]; loops: Loop[] }> => {
  await all("/reset");
  const took: number[] = [];
  for (let n = 0; n < scrapes; n++) {
    await all("/grow");
    if (doScrape) took.push(await scrape());
    else await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { took, loops: await all("/") };
};
const without = (await rounds(false)).loops;
const { took, loops: workers } = await rounds(true);
const still: number[] = [];
for (let n = 0; n < scrapes; n++) still.push(await scrape());
const other = alone();
console.log(`register.metrics() of ${series} series in one process: ${((one + other) / 2).toFixed(1)} ms`);
console.log(
  `a scrape of ${workerCount} x ${series} series, over HTTP: ${median(took).toFixed(1)} ms, ratio ${(median(took) / ((one + other) / 2)).toFixed(2)}`,
);
console.log(`the same while no series grows: ${median(still).toFixed(1)} ms`);
const loopsOf = (loops: readonly Loop[]): string =>
  `held for ${Math.max(...loops.map(({ held }) => held)).toFixed(1)} ms of CPU at most, late by ${Math.max(...loops.map(({ late }) => late)).toFixed(1)} ms`;
console.log(`event loops of the workers meanwhile: ${loopsOf(workers)}; without a scrape: ${loopsOf(without)}`);

const stopped = workers[0]?.pid ?? 0;
process.kill(stopped, "SIGSTOP");
const withStopped: number[] = [];
for (let n = 0; n < scrapes; n++) withStopped.push(await scrape());
process.kill(stopped, "SIGCONT");
console.log(
  `with one worker stopped: ${median(withStopped).toFixed(1)} ms, at most ${Math.max(...withStopped).toFixed(1)} (before: at most ${Math.max(...took).toFixed(1)})`,
);
server.kill("SIGTERM");
await server.exited();
folder.remove();
