// HTTP/2. `drains COUNT`: is every stream answered that was handled, over so many stops under load, by turns over TLS and h2c?
// `speed ROUNDS`: what does it serve, against HTTP/1 over TLS, with sixteen streams on four connections? (needs h2load, wrk)
import { spawnSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, makeTemporaryFolder, spawnTsserve } from "@tsserve/testing";
import { ask, loadHttp2, openSession } from "../test/support/http2.ts";
import { certificate } from "../test/support/tls.ts";
import { bin, cpuSeconds, node, path, startPinned, stop } from "./servers.ts";

const tls = { "tls.certificate": certificate("localhost"), "tls.key": certificate("localhost.key") };

function iniOf(server: Readonly<Record<string, string>>, app: Readonly<Record<string, string>>): string {
  const lines = (options: Readonly<Record<string, string>>): string[] => Object.entries(options).map(([key, value]) => `${key} = ${value}`);
  return [
    "[server:main]",
    ...lines({ factory: "tsserve/http", http2: "true", access_log: "false", "metrics.enabled": "false", ...server }),
    "[app:main]",
    ...lines(app),
    "",
  ].join("\n");
}

interface Drain {
  readonly handled: number;
  readonly lost: string[];
  readonly refused: number;
  readonly exitedWell: boolean;
}

async function drain(number: number): Promise<Drain> {
  const handledFile = join(tmpdir(), `tsserve-http2-${process.pid}-${number}`);
  const app = { factory: path("apps/http2-drain.js"), handled: handledFile };
  const folder = makeTemporaryFolder({
    "app.ini": iniOf({ ...(number % 2 === 0 ? tls : {}), drain_time: `${(number % 3) * 100} milliseconds` }, app),
  });
  const server = spawnTsserve({ args: ["app.ini", "--bind", "127.0.0.1:0"], cwd: folder.path });
  const url = await server.listening();
  const end = new AbortController();
  const load = loadHttp2({ url, signal: end.signal, path: (id) => `/?id=${id}` });
  await new Promise((resolve) => setTimeout(resolve, 100 + Math.random() * 200));
  server.kill();
  const { code } = await server.exited(60_000);
  end.abort();
  const { answered, refused, failed } = await load;
  const handled = new Set(readFileSync(handledFile, "utf8").split("\n"));
  const seen = new Set(answered);
  const lost = [...failed, ...[...handled].filter((id) => id !== "" && !seen.has(id)).map((id) => `${id}: handled, not answered`)];
  const isSilent = server.stderr() === "";
  await server[Symbol.asyncDispose]();
  folder.remove();
  rmSync(handledFile);
  return { handled: handled.size, lost, refused: refused.length, exitedWell: code === 0 && isSilent };
}

async function drains(count: number): Promise<void> {
  let [handled, refused, badEnds, done] = [0, 0, 0, 0];
  const lost: string[] = [];
  const until = performance.now() + Number(process.argv[4] ?? 3600) * 1000;
  for (; done < count && performance.now() < until; done++) {
    const one = await drain(done);
    handled += one.handled;
    refused += one.refused;
    lost.push(...one.lost.map((each) => `drain ${done}, ${each}`));
    if (!one.exitedWell) badEnds += 1;
    if ((done + 1) % 25 === 0) console.log(`${done + 1} drains: ${handled} handled, ${lost.length} lost, ${badEnds} bad ends`);
  }
  const version = spawnSync(node, ["--version"], { encoding: "utf8" }).stdout.trim();
  for (const each of lost.slice(0, 20)) console.log(each);
  console.log(
    `${done} drains on Node ${version}: ${handled} streams handled, ${lost.length} lost, ${refused} refused; ended otherwise than with 0 and silence: ${badEnds}`,
  );
  process.exitCode = lost.length + badEnds === 0 ? 0 : 1;
}

interface Figures {
  readonly rps: number;
  readonly cpuMicros: number;
}

function h2load(port: number, protocol: "h2" | "h1", requests: number): number {
  const args = protocol === "h2" ? ["-c4", "-m16"] : ["-c64", "--h1"];
  const { stdout } = spawnSync("taskset", ["-c", "1", "h2load", ...args, `-n${requests}`, `https://127.0.0.1:${port}/`], {
    encoding: "utf8",
  });
  const [, rps] = /finished in [^,]+, ([\d.]+) req\/s/.exec(stdout) ?? [];
  if (!new RegExp(`${requests} succeeded`).test(stdout)) throw new Error(stdout);
  return Number(rps);
}

async function speed(rounds: number): Promise<void> {
  const folder = makeTemporaryFolder({ "app.ini": iniOf(tls, { factory: path("apps/hello.js") }) });
  const port = await freePort();
  const server = startPinned(0, [bin, join(folder.path, "app.ini"), "--bind", `127.0.0.1:${port}`]);
  await firstAnswer(port);
  const pid = server.pid as number;
  const measure = (protocol: "h2" | "h1", requests: number): Figures => {
    const before = cpuSeconds(pid);
    const rps = h2load(port, protocol, requests);
    return { rps, cpuMicros: ((cpuSeconds(pid) - before) * 1e6) / requests };
  };
  for (const protocol of ["h2", "h1"] as const) measure(protocol, 30_000);
  const ratios: Figures[] = [];
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? (["h2", "h1"] as const) : (["h1", "h2"] as const);
    const found = Object.fromEntries(order.map((protocol) => [protocol, measure(protocol, 15_000)])) as Record<"h1" | "h2", Figures>;
    ratios.push({ rps: found.h2.rps / found.h1.rps, cpuMicros: found.h2.cpuMicros / found.h1.cpuMicros });
  }
  await stop(server);
  folder.remove();
  console.log(`HTTP/2, 16 streams on 4 connections, against HTTP/1 over TLS on 64, ${rounds} rounds, median (quartiles):`);
  console.log(`requests per second: ${quartiles(ratios.map(({ rps }) => rps))}`);
  console.log(`CPU per request: ${quartiles(ratios.map(({ cpuMicros }) => cpuMicros))}`);
}

async function firstAnswer(port: number): Promise<void> {
  for (const end = performance.now() + 20_000; performance.now() < end;) {
    try {
      const session = await openSession(`https://127.0.0.1:${port}`);
      const { status } = await ask(session, "/");
      session.close();
      if (status === 200) return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  throw new Error(`no answer on port ${port}`);
}

function quartiles(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): string => (sorted[Math.round((sorted.length - 1) * share)] ?? Number.NaN).toFixed(2);
  return `${at(0.5)} (${at(0.25)} to ${at(0.75)})`;
}

const [what, count] = process.argv.slice(2);
if (what === "drains") await drains(Number(count ?? 1000));
else if (what === "speed") await speed(Number(count ?? 15));
else throw new Error("expected `drains COUNT [SECONDS]` or `speed ROUNDS`");
