// What does a profile cost the process that it is taken of? The longest stop of its event loop, and its memory after many of them.
import { spawn, spawnSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort, makeTemporaryFolder } from "@tsserve/testing";
import { bin, firstAnswer, node, path } from "./servers.ts";

const rounds = Number(process.argv[2] ?? 20);
const seconds = 0.5;
const folder = makeTemporaryFolder({
  // Measures in its own process how late a timer of 2 ms comes.
  "app.js": `import { monitorEventLoopDelay } from "node:perf_hooks";
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
const { makeApp: make } = await import(${JSON.stringify(path("apps/hello.js"))});
export const makeApp = async (config, context) => {
  const app = make(config, context);
  app.get("/longest", () => { const { max } = delay; delay.reset(); return { ms: max / 1e6 }; });
  return app;
};`,
  "package.json": '{"type":"module"}',
  "app.ini": `[server:main]\nfactory = tsserve/http\naccess_log = false\ncontrol_socket = ./ctl.sock\nprofile_dir = .\n[app:main]\nfactory = ./app.js\n`,
});
const port = await freePort();
const child = spawn(node, [bin, "app.ini", "--bind", `127.0.0.1:${port}`], { cwd: folder.path, stdio: ["ignore", "ignore", "inherit"] });
child.once("exit", (code, signal) => {
  if (signal !== "SIGTERM" && code !== 0) throw new Error(`the server ended: ${code ?? signal}`);
});
await firstAnswer(port);
await sleep(3000);

const rssMb = (): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]) / 1024;
const longestMs = async (): Promise<number> => ((await (await fetch(`http://127.0.0.1:${port}/longest`)).json()) as { ms: number }).ms;
const ports = (): string[] =>
  spawnSync("ss", ["-ltnpH"], { encoding: "utf8" })
    .stdout.split("\n")
    .filter((line) => line.includes(`pid=${child.pid},`))
    .map((line) => line.split(/\s+/)[3] ?? "");

await longestMs();
await sleep(2000);
console.log(`idle: longest stop ${(await longestMs()).toFixed(0)} ms, RSS ${rssMb().toFixed(0)} MB, listens on ${ports().join(", ")}`);
for (const kind of ["cpu", "heap"]) {
  const stops: number[] = [];
  const memory: number[] = [];
  for (let round = 0; round < rounds; round++) {
    await longestMs();
    const taken = spawn(node, [bin, "ctl", "profile", kind, "--seconds", String(seconds), "--json", "--socket", "ctl.sock"], {
      cwd: folder.path,
      stdio: ["ignore", "pipe", "inherit"],
    });
    let text = "";
    taken.stdout.setEncoding("utf8").on("data", (part: string) => (text += part));
    await new Promise((resolve) => taken.once("close", resolve));
    stops.push(await longestMs());
    memory.push(rssMb());
    rmSync((JSON.parse(text) as { path: string }).path);
  }
  stops.sort((a, b) => a - b);
  const at = (part: number): string => (stops[Math.floor((stops.length - 1) * part)] ?? 0).toFixed(0);
  console.log(
    `${kind}: longest stop, median ${at(0.5)} ms, of all ${at(1)} ms; RSS ${memory.map((mb) => mb.toFixed(0)).join(" ")} MB; listens on ${ports().join(", ")}`,
  );
}
child.kill();
await new Promise((resolve) => child.once("exit", resolve));
rmSync(join(folder.path, "ctl.sock"), { force: true });
folder.remove();
