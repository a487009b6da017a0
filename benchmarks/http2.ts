// HTTP/2. `drains COUNT`: is every stream answered that was handled, over so many stops under load, by turns over TLS and h2c?
// `speed ROUNDS`: what does it serve, against HTTP/1 over TLS, with sixteen streams on four connections; what does Fastify by hand on
// Node's `http2` serve against the same of its own, which is the bound; and what ours of that? (needs h2load)
import { spawnSync, type ChildProcess } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, makeTemporaryFolder, spawnTsserve } from "@tsserve/testing";
import { ask, loadHttp2, openSession } from "../test/support/http2.ts";
import { certificate } from "../test/support/tls.ts";
import { bin, cpuMicrosOf, node, path, startPinned, stop } from "./servers.ts";

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

function h2load(port: number, protocol: Protocol, requests: number): number {
  const args = protocol === "h2" ? ["-c4", "-m16"] : ["-c64", "--h1"];
  const { stdout } = spawnSync("taskset", ["-c", "1", "h2load", ...args, `-n${requests}`, `https://127.0.0.1:${port}/`], {
    encoding: "utf8",
  });
  const [, rps] = /finished in [^,]+, ([\d.]+) req\/s/.exec(stdout) ?? [];
  if (!new RegExp(`${requests} succeeded`).test(stdout)) throw new Error(stdout);
  return Number(rps);
}

const protocols = ["h2", "h1"] as const;
type Protocol = (typeof protocols)[number];
type Round = Record<Protocol, Figures>;

async function speed(rounds: number): Promise<void> {
  const folder = makeTemporaryFolder({ "app.ini": iniOf(tls, { factory: path("apps/hello.js") }) });
  const start = async (args: (port: number) => string[]): Promise<Side> => {
    const port = await freePort();
    const server = startPinned(0, args(port));
    await firstAnswer(port);
    return { server, port };
  };
  const ours = await start((port) => [bin, join(folder.path, "app.ini"), "--bind", `127.0.0.1:${port}`]);
  const byHand = await start((port) => [path("apps/http2-by-hand.js"), String(port)]);
  const sides = [ours, byHand];
  for (const side of sides) for (const protocol of protocols) measure(side, protocol, 60_000);
  const found: [Round, Round][] = [];
  for (let round = 0; round < rounds; round++) {
    const turn = sides.flatMap((side, index) => protocols.map((protocol) => ({ side, index, protocol })));
    const figures = [{}, {}] as [Round, Round];
    // Each goes first in turn.
    for (const { side, index, protocol } of round % 2 === 0 ? turn : turn.toReversed())
      (figures[index] as Round)[protocol] = measure(side, protocol, 15_000);
    found.push(figures);
  }
  for (const { server } of sides) await stop(server);
  folder.remove();
  console.log(
    `HTTP/2, 16 streams on 4 connections; HTTP/1 over TLS on 64; ${rounds} rounds, median (quartiles), above 1 in favour of the first:`,
  );
  tell(
    "tsserve over HTTP/2 / tsserve over HTTP/1",
    found.map(([one]) => [one.h2, one.h1]),
  );
  tell(
    "by hand over HTTP/2 / by hand over HTTP/1: the bound",
    found.map(([, hand]) => [hand.h2, hand.h1]),
  );
  tell(
    "tsserve over HTTP/2 / by hand over HTTP/2",
    found.map(([one, hand]) => [one.h2, hand.h2]),
  );
  tell(
    "tsserve over HTTP/1 / by hand over HTTP/1",
    found.map(([one, hand]) => [one.h1, hand.h1]),
  );
}

interface Side {
  readonly server: ChildProcess;
  readonly port: number;
}

function measure({ server, port }: Side, protocol: Protocol, requests: number): Figures {
  const pid = server.pid as number;
  const before = cpuMicrosOf(pid);
  const rps = h2load(port, protocol, requests);
  return { rps, cpuMicros: (cpuMicrosOf(pid) - before) / requests };
}

function tell(what: string, pairs: readonly (readonly [Figures, Figures])[]): void {
  const rps = quartiles(pairs.map(([one, other]) => one.rps / other.rps));
  const cpu = quartiles(pairs.map(([one, other]) => other.cpuMicros / one.cpuMicros));
  console.log(`${what}: requests per second ${rps}, by CPU time ${cpu}`);
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
