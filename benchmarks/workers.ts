// What do two workers serve, against node:cluster with the same app, and is the load of four even?
// Needs wrk. Nothing is pinned: the workers, the master and the load share the machine.
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { freePort, load, makeTemporaryFolder, spawnTsserve } from "@tsserve/testing";
import { bin, firstAnswer, median, node, path, residentMb } from "./servers.ts";

const rounds = Number(process.argv[2] ?? 9);
const seconds = 3;

const clusterOf = (policy: "rr" | "none") => (port: number) =>
  spawn(node, [path("apps/cluster-hello.js"), String(port), "2"], {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, NODE_CLUSTER_SCHED_POLICY: policy },
  });

const subjects: Record<string, (port: number) => ChildProcess> = {
  "tsserve --workers 2": (port) =>
    spawn(node, [bin, path("apps/hello.ini"), "--bind", `127.0.0.1:${port}`, "--workers", "2"], { stdio: ["ignore", "ignore", "inherit"] }),
  "cluster, round-robin": clusterOf("rr"),
  "cluster, shared handle": clusterOf("none"),
};
const names = Object.keys(subjects);

async function measure(start: (port: number) => ChildProcess, ...options: string[]): Promise<number> {
  const port = await freePort();
  const server = start(port);
  await firstAnswer(port);
  // The second worker comes up, and both get warm.
  await new Promise((resolve) => setTimeout(resolve, 500));
  wrk(port, 1, options);
  const rps = wrk(port, seconds, options);
  const exited = once(server, "exit");
  server.kill("SIGTERM");
  await exited;
  return rps;
}

function wrk(port: number, duration: number, options: readonly string[]): number {
  const { stdout } = spawnSync("wrk", ["-t1", "-c64", `-d${duration}s`, ...options, `http://127.0.0.1:${port}/`], { encoding: "utf8" });
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]);
}

async function compare(kind: string, ...options: string[]): Promise<void> {
  const figures: Record<string, number>[] = [];
  for (let round = 0; round < rounds; round++) {
    const order = names.map((_, index) => names[(index + round) % names.length] as string);
    const measured: [string, number][] = [];
    for (const name of order) measured.push([name, await measure(subjects[name] as (port: number) => ChildProcess, ...options)]);
    figures.push(Object.fromEntries(measured));
    console.log(
      `${kind}, round ${round + 1}: ${names.map((name) => `${name} ${Math.round(figures[round]?.[name] ?? 0)}`).join(", ")} req/s`,
    );
  }
  const own = (each: Record<string, number>, name: string): number => (each[names[0] as string] ?? 0) / (each[name] ?? 0);
  for (const name of names.slice(1))
    console.log(`${kind}: tsserve / ${name}, median of rounds ${median(figures.map((each) => own(each, name))).toFixed(3)}`);
}

async function balance(): Promise<void> {
  const folder = makeTemporaryFolder({});
  const port = await freePort();
  const args = [path("apps/hello.ini"), "--bind", `127.0.0.1:${port}`, "--workers", "4", "--socket", `${folder.path}/ctl.sock`];
  const master = spawnTsserve({ args });
  await firstAnswer(port);
  await new Promise((resolve) => setTimeout(resolve, 2000));
  await load({ port, clients: 256, keepAlive: false, expect: '{"hello":"world"}', signal: AbortSignal.timeout(8000) });
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const ctl = spawnTsserve({ args: ["ctl", "status", "--json", "--socket", `${folder.path}/ctl.sock`] });
  await ctl.exited();
  const totals = (JSON.parse(ctl.stdout()) as { workers: { requests_total: number }[] }).workers.map((each) => each.requests_total);
  const mean = totals.reduce((sum, each) => sum + each, 0) / totals.length;
  console.log(
    `256 clients with new connections, of a fair share each of 4 workers had: ${totals.map((each) => (each / mean).toFixed(2)).join(", ")}`,
  );
  console.log(`the master: ${residentMb(master.pid).toFixed(1)} MB resident`);
  master.kill("SIGTERM");
  await master.exited();
  folder.remove();
}

await balance();
await compare("kept connections");
await compare("new connections", "-H", "Connection: close");
