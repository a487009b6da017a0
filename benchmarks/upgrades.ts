// Do upgrades lose requests? All workers are replaced, again and again, under clients that keep their connections and
// clients that open one for each request; a node:cluster app and PM2 (from npm) in the same run.
// node --import tsx benchmarks/upgrades.ts [UPGRADES] [CLIENTS] [WORKERS] [SECONDS between upgrades] [SUBJECT,…]
// Subjects: tsserve, removed (tsserve, the control socket's file removed before each upgrade), restarted (tsserve, by systemd's way
// of stopping: SIGTERM to all processes at once, the next fleet started when they are gone, the socket held meanwhile), cluster, pm2;
// all by default.
import { existsSync, rmSync } from "node:fs";
import { once } from "node:events";
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import {
  bindDescriptor,
  freePort,
  load,
  lost,
  makeTemporaryFolder,
  spawnTsserve,
  until,
  type LoadResult,
  type TsserveProcess,
} from "@tsserve/testing";
import { firstAnswer, node, path } from "./servers.ts";

const upgrades = Number(process.argv[2] ?? 50);
const clients = Number(process.argv[3] ?? 128);
const workers = Number(process.argv[4] ?? 4);
/** An upgrade begins so long after the one before it, at the earliest. */
const everySeconds = Number(process.argv[5] ?? 0);

interface Subject {
  upgrade(): Promise<void>;
  end(): Promise<void>;
}

/** Cleaners of folders for temporary files do it: the socket is there again a second later. */
async function removed(port: number): Promise<Subject> {
  const { upgrade, end, socket } = await tsserve(port);
  return {
    upgrade: async () => {
      rmSync(socket);
      await until("the socket", () => existsSync(socket));
      await upgrade();
    },
    end,
  };
}

async function tsserve(port: number): Promise<Subject & { readonly socket: string }> {
  const folder = makeTemporaryFolder({});
  const socket = `${folder.path}/ctl.sock`;
  const args = [path("apps/workers.ini"), "--bind", `127.0.0.1:${port}`, "--workers", String(workers), "--socket", socket];
  const master = spawnTsserve({ args });
  await until("the workers", () => master.logs().filter(({ msg }) => msg.endsWith(" is up")).length >= workers);
  return {
    socket,
    upgrade: async () => {
      await using ctl = spawnTsserve({ args: ["ctl", "upgrade", "--socket", socket] });
      const { code } = await ctl.exited(60_000);
      if (code !== 0) throw new Error(ctl.stderr());
    },
    end: async () => {
      master.kill("SIGTERM");
      await master.exited(30_000);
      folder.remove();
    },
  };
}

/** As a unit with a `.socket` is restarted: what connects meanwhile waits in the socket. */
async function restarted(port: number): Promise<Subject> {
  const bound = bindDescriptor(port);
  const start = async (): Promise<TsserveProcess> => {
    const args = [path("apps/workers.ini"), "--bind", "fd://3", "--workers", String(workers)];
    const master = spawnTsserve({ args, descriptors: [bound.fd] });
    await until("the workers", () => workerPids(master).length >= workers, { timeoutMs: 60_000 });
    return master;
  };
  const stop = async (master: TsserveProcess): Promise<void> => {
    for (const pid of [master.pid, ...workerPids(master)]) process.kill(pid, "SIGTERM");
    const { code } = await master.exited(60_000);
    if (code !== 0) throw new Error(`the master ended with ${code}`);
  };
  let master = await start();
  return {
    upgrade: async () => {
      await stop(master);
      master = await start();
    },
    end: async () => {
      await stop(master);
      bound[Symbol.dispose]();
    },
  };
}

function workerPids(master: TsserveProcess): number[] {
  return master.logs().flatMap(({ msg, worker_pid: pid }) => (msg.endsWith(" is up") && typeof pid === "number" ? [pid] : []));
}

async function cluster(port: number): Promise<Subject> {
  const child: ChildProcess = spawn(node, [path("apps/cluster.js"), String(port), String(workers)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let upgraded = 0;
  child.stdout?.on("data", (bytes: Buffer) => (upgraded += bytes.toString().split("upgraded").length - 1));
  await new Promise((resolve) => setTimeout(resolve, 2000));
  return {
    upgrade: async () => {
      const before = upgraded;
      child.kill("SIGHUP");
      // A worker whose clients keep their connections ends when they do.
      await until("the upgrade", () => upgraded > before, { timeoutMs: 60_000 });
    },
    end: async () => {
      child.kill("SIGTERM");
      await once(child, "exit");
    },
  };
}

/** PM2's cluster mode: `pm2 reload` is its own way to replace workers without losing requests. */
async function pm2(port: number): Promise<Subject> {
  const folder = makeTemporaryFolder({});
  execFileSync("npm", ["install", "--no-save", "--no-audit", "--no-fund", "--silent", "--prefix", folder.path, "pm2"], {
    stdio: "inherit",
  });
  const env = { ...process.env, PM2_HOME: `${folder.path}/home`, PORT: String(port) };
  const run = (...args: string[]): Promise<void> =>
    new Promise((resolve, reject) => {
      const child = spawn(node, [`${folder.path}/node_modules/pm2/bin/pm2`, ...args], { env, stdio: "ignore" });
      child.once("exit", (code) => (code === 0 ? resolve() : reject(new Error(`pm2 ${args[0]} exited with ${code}`))));
    });
  await run("start", path("apps/pm2.js"), "-i", String(workers), "--name", "hello");
  await firstAnswer(port);
  return {
    upgrade: () => run("reload", "hello"),
    end: async () => {
      await run("kill");
      folder.remove();
    },
  };
}

async function measure(name: string, start: (port: number) => Promise<Subject>, count: number): Promise<void> {
  const port = await freePort();
  const subject = await start(port);
  const end = new AbortController();
  const options = { port, clients, expect: '{"hello":"world"}', signal: end.signal };
  const running = {
    "keep-alive": load({ ...options, keepAlive: true }),
    "a connection per request": load({ ...options, keepAlive: false }),
  };
  let done = 0;
  for (; done < count; done++) {
    const begun = performance.now();
    const over = await subject.upgrade().then(
      () => true,
      (error: unknown) => (console.log(`${name}: upgrade ${done + 1}: ${(error as Error).message.split("\n")[0]}`), false),
    );
    if (!over) break;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, begun + everySeconds * 1000 - performance.now())));
  }
  end.abort();
  for (const [kind, result] of Object.entries(running)) {
    const { failures, ...counted }: LoadResult = await result;
    console.log(
      `${name}, ${done} upgrades of ${workers} workers, ${clients} clients, ${kind}: ${lost({ failures, ...counted })} lost; ${JSON.stringify(counted)}`,
    );
  }
  await subject.end();
}

const wanted = process.argv[6]?.split(",") ?? ["tsserve", "removed", "restarted", "cluster", "pm2"];
const few = Math.min(upgrades, 10);
if (wanted.includes("tsserve")) await measure("tsserve", tsserve, upgrades);
if (wanted.includes("removed")) await measure("tsserve, its control socket removed each time", removed, upgrades);
if (wanted.includes("restarted")) await measure("tsserve, restarted by SIGTERM to all", restarted, upgrades);
if (wanted.includes("cluster")) await measure("node:cluster", cluster, few);
if (wanted.includes("pm2")) await measure("pm2 reload", pm2, few);
