// What does an idle process take of a core, against the same app by hand?
// node --import tsx benchmarks/idle.ts [SECONDS] [KIND,…]
import { spawn, type ChildProcess } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort, makeTemporaryFolder } from "@tsserve/testing";
import { bin, firstAnswer, node, path } from "./servers.ts";

const seconds = Number(process.argv[2] ?? 60);
/** Of the names of kinds below; all by default. */
const wanted = process.argv[3]?.split(",");
/** From when the start's own work is over: compiling, and the collections by which V8 gives back, in its first minute, what the start took. */
const settleMs = 60_000;

const ini = (more: string): string =>
  `[server:main]\nfactory = tsserve/http\nmetrics.endpoint = 127.0.0.1:0\n${more}\n[app:main]\nfactory = ${path("apps/hello.js")}\n`;
const folder = makeTemporaryFolder({
  "idle.ini": ini(""),
  "hub.ini": ini("monitoring.blocked_hub = 100 milliseconds"),
  "off.ini": ini("metrics.enabled = false"),
});
const serve =
  (file: string, ...more: string[]) =>
  (port: number) => [bin, `${folder.path}/${file}`, "--bind", `127.0.0.1:${port}`, ...more];
const kinds: Readonly<Record<string, (port: number) => string[]>> = {
  "by hand": (port) => [path("apps/hello-by-hand.js"), String(port)],
  tsserve: serve("idle.ini"),
  "with monitoring.blocked_hub": serve("hub.ini"),
  "without metrics": serve("off.ini"),
  "with four workers": serve("idle.ini", "--workers", "4"),
};

/** Of a process and its threads; the kernel counts in nanoseconds. */
function cpuMs(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  return threads.reduce(
    (sum, thread) => sum + Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]) / 1e6,
    0,
  );
}

function family(pid: number): number[] {
  return [
    pid,
    ...readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
      .trim()
      .split(" ")
      .filter((each) => each !== "")
      .map(Number),
  ];
}

const running: { readonly name: string; readonly child: ChildProcess }[] = [];
for (const [name, args] of Object.entries(kinds)) {
  if (wanted?.includes(name) === false) continue;
  const port = await freePort();
  const child = spawn(node, args(port), { stdio: ["ignore", "ignore", "inherit"] });
  running.push({ name, child });
  await firstAnswer(port);
}
await sleep(settleMs);
const before = running.map(({ child }) => family(child.pid as number).map((pid) => ({ pid, ms: cpuMs(pid) })));
await sleep(seconds * 1000);
for (const [index, { name, child }] of running.entries()) {
  const percents = (before[index] ?? []).map(({ pid, ms }) => ((cpuMs(pid) - ms) / (seconds * 10)).toFixed(2));
  console.log(`${name}: ${percents.join(", ")} % of a core${percents.length > 1 ? " (the master first)" : ""}`);
  child.kill();
}
folder.remove();
