// Has a change made something slower or larger? The five cheapest comparisons, in some three minutes: npm run bench:guard
// Fails where one is worse than its ratio in guard.json by more than the noise of both runs. `--record` writes what it measures there.
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "@tsserve/testing";
import { sentenceOf, verdictOf, type Compared, type Found } from "./guard-verdict.ts";
import { measurePairs, type Running } from "./pairs.ts";
import { firstAnswer, helloServers, node, path, residentMb, stop } from "./servers.ts";
import { fleetStart, processStart } from "./starts.ts";

const recordFile = path("guard.json");
/** By the version of Node: each has ratios of its own. */
type Ratios = Record<string, Record<string, Found>>;
const record = JSON.parse(readFileSync(recordFile, "utf8")) as Ratios;
const major = process.versions.node.split(".", 1)[0] ?? "";

const startPairs = 12;
const fleetPairs = 5;
const slicePairs = 12;

async function starts(): Promise<Compared[]> {
  const cpu: number[] = [];
  const memory: number[] = [];
  await processStart(helloServers.tsserve);
  for (let pair = 0; pair < startPairs; pair++) {
    const ours = await processStart(helloServers.tsserve);
    const byHand = await processStart(helloServers["by hand"]);
    cpu.push(ours.cpuMs / byHand.cpuMs);
    memory.push(ours.mb / byHand.mb);
  }
  return [
    { name: "CPU of a start, of by hand", ratios: cpu },
    { name: "resident memory, of by hand", ratios: memory },
  ];
}

async function fleets(): Promise<Compared[]> {
  const memory: number[] = [];
  const time: number[] = [];
  for (let pair = 0; pair < fleetPairs; pair++) {
    const fleet = await fleetStart(4);
    const one = await processStart(helloServers.tsserve);
    memory.push(fleet.mb / (await bareMb()));
    time.push(fleet.ms / one.ms);
  }
  return [
    { name: "memory of a master, of Node that waits", ratios: memory },
    { name: "four workers up, of one process", ratios: time },
  ];
}

async function bareMb(): Promise<number> {
  const child = spawn(node, ["-e", "setInterval(() => undefined, 1000)"], { stdio: "ignore" });
  await sleep(1000);
  const mb = residentMb(child.pid ?? 0);
  await stop(child);
  return mb;
}

async function hello(): Promise<Compared> {
  const run = async (args: (port: number) => string[]): Promise<Running> => {
    const port = await freePort();
    const child = spawn("taskset", ["-c", "0", node, ...args(port)], { stdio: ["ignore", "ignore", "inherit"] });
    await firstAnswer(port);
    return { child, port };
  };
  const [ours, byHand] = [await run(helloServers.tsserve), await run(helloServers["by hand"])];
  const pairs = await measurePairs(ours, byHand, slicePairs, 1);
  for (const { child } of [ours, byHand]) await stop(child);
  return { name: "CPU of a request, of by hand without a logger", ratios: pairs.map(([one, other]) => one.cpuMicros / other.cpuMicros) };
}

const compared = [...(await starts()), ...(await fleets()), await hello()];
const verdicts = compared.map((each) => verdictOf(each, record[major]?.[each.name]));
for (const verdict of verdicts) console.log(sentenceOf(verdict));
if (process.argv.includes("--record")) {
  record[major] = Object.fromEntries(
    verdicts.map(({ name, median, noise }) => [name, { median: Number(median.toFixed(3)), noise: Number(noise.toFixed(3)) }]),
  );
  writeFileSync(recordFile, `${JSON.stringify(record, undefined, 2)}\n`);
} else if (verdicts.some(({ isWorse }) => isWorse)) process.exitCode = 1;
