// What does a profile cost the process that it is taken of? The longest stop of its event loop under load, beside windows of the same
// load in which nobody profiles, its memory after many of them, and how soon one of a stuck process names where it is.
import { spawn, spawnSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort, makeTemporaryFolder } from "@tsserve/testing";
import { bin, firstAnswer, median, node, path, residentMb } from "./servers.ts";

const rounds = Number(process.argv[2] ?? 20);
/** Ahead of all other processes: what is left of a stop is the profiler's work, and not the machine's other work. Needs root. */
const realtime = process.argv.includes("--realtime") ? ["chrt", "-r", "10"] : [];
const seconds = 0.5;
const folder = makeTemporaryFolder({
  "app.js": `import { monitorEventLoopDelay } from "node:perf_hooks";
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
const { makeApp: make } = await import(${JSON.stringify(path("apps/hello.js"))});
function spinForever(ms) { let sum = 0; for (const end = Date.now() + ms; Date.now() < end; ) sum += Math.sqrt(sum + 1); return sum; }
export const makeApp = async (config, context) => {
  const app = make(config, context);
  app.get("/longest", () => { const { max } = delay; delay.reset(); return { ms: max / 1e6 }; });
  app.get("/spin", () => { spinForever(8000); return {}; });
  return app;
};`,
  "package.json": '{"type":"module"}',
  "app.ini": `[server:main]\nfactory = tsserve/http\naccess_log = false\ncontrol_socket = ./ctl.sock\nprofile_dir = .\n[app:main]\nfactory = ./app.js\n`,
});
const port = await freePort();
const serving = [...realtime, node, bin, "app.ini", "--bind", `127.0.0.1:${port}`];
const child = spawn("taskset", ["-c", "0", ...serving], { cwd: folder.path, stdio: ["ignore", "ignore", "inherit"] });
child.once("exit", (code, signal) => {
  if (signal !== "SIGTERM" && code !== 0) throw new Error(`the server ended: ${code ?? signal}`);
});
await firstAnswer(port);
// A quarter of what one core can do: a loop that is busy anyway has stops of its own.
const load = spawn("taskset", ["-c", "1", "wrk", "-t1", "-c4", "-d600", `http://127.0.0.1:${port}/`], { stdio: "ignore" });
await sleep(3000);

const pid = child.pid as number;
const longestMs = async (): Promise<number> => ((await (await fetch(`http://127.0.0.1:${port}/longest`)).json()) as { ms: number }).ms;
const ports = (): string[] =>
  spawnSync("ss", ["-ltnpH"], { encoding: "utf8" })
    .stdout.split("\n")
    .filter((line) => line.includes(`pid=${pid},`))
    .map((line) => line.split(/\s+/)[3] ?? "");

async function ctl(...words: string[]): Promise<string> {
  const asked = spawn("taskset", ["-c", "1", node, bin, "ctl", ...words, "--socket", "ctl.sock"], {
    cwd: folder.path,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  asked.stdout.setEncoding("utf8").on("data", (part: string) => (text += part));
  await new Promise((resolve) => asked.once("close", resolve));
  return text;
}

/** Takes a profile; gives its text. */
async function profile(kind: string, forSeconds: number): Promise<string> {
  const { path: file } = JSON.parse(await ctl("profile", kind, "--seconds", String(forSeconds), "--json")) as { path: string };
  const text = readFileSync(file, "utf8");
  rmSync(file);
  return text;
}

/** The longest stop while something is done, in milliseconds. */
async function stopDuring(work: () => Promise<unknown>): Promise<number> {
  await longestMs();
  await work();
  return longestMs();
}

const told = (values: readonly number[]): string => `median ${median(values).toFixed(0)}, longest ${Math.max(...values).toFixed(0)} ms`;
console.log(`RSS ${residentMb(pid).toFixed(0)} MB, listens on ${ports().join(", ")}`);
for (const kind of ["cpu", "heap"]) {
  const [stops, control, memory]: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round < rounds; round++) {
    // Another command of the same kind, which asks for no profile.
    control.push(await stopDuring(async () => (await ctl("status"), sleep(seconds * 1000))));
    stops.push(await stopDuring(() => profile(kind, seconds)));
    memory.push(residentMb(pid));
  }
  const ratio = median(stops.map((ms, round) => ms / (control[round] ?? Number.NaN)));
  console.log(`${kind}: longest stop ${told(stops)}; of the same load without a profile ${told(control)}; ratio ${ratio.toFixed(1)}`);
  console.log(`  RSS after each: ${memory.map((mb) => mb.toFixed(0)).join(" ")} MB; listens on ${ports().join(", ")}`);
}
load.kill();
const stuck: number[] = [];
for (let round = 0; round < Math.min(3, rounds); round++) {
  const answer = fetch(`http://127.0.0.1:${port}/spin`);
  await sleep(500);
  const began = performance.now();
  const text = await profile("cpu", 1);
  stuck.push(performance.now() - began);
  if (!text.includes('"functionName":"spinForever"')) throw new Error("the profile of a stuck process does not name where it is");
  await answer;
}
console.log(`stuck: a CPU profile of 1 s names the function after ${told(stuck)}`);
child.kill();
await new Promise((resolve) => child.once("exit", resolve));
rmSync(join(folder.path, "ctl.sock"), { force: true });
folder.remove();
process.exit(0);
