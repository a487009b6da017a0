// What do requests notice of a collector of traces and a tracker of errors that are away, silent, slow, or want no more? All are recorded,
// and in each slice some fail: in alternating slices against a receiver that takes all. Needs wrk and taskset (Debian: apt-get install wrk).
// node --import tsx benchmarks/bad-receivers.ts [ROUNDS] [KIND …] [--node PATH]
import { spawn } from "node:child_process";
import { once } from "node:events";
import { parseArgs } from "node:util";
import { freePort, makeTemporaryFolder } from "@tsserve/testing";
import { receive, type Answer } from "../test/support/receiver.ts";
import { cpuMicrosOf, spread, type Running } from "./pairs.ts";
import { bin, firstAnswer, median, node as thisNode, stop } from "./servers.ts";

const { values, positionals } = parseArgs({ allowPositionals: true, options: { node: { type: "string", default: thisNode } } });
const rounds = Number(positionals[0] ?? 15);
const sliceSeconds = 1;
const warmUpRounds = 3;
/** Few enough that the server does not work all the time: then the time of an answer is that of its work. */
const connections = 4;
const failuresPerSlice = 5;

const source = `
export const makeApp = () => (request, response) => {
  if (request.url === "/fails") throw new Error("it fails");
  response.end("hello");
};
`;

interface Measured extends Running {
  readonly name: string;
  readonly latencies: number[];
  readonly micros: number[];
}

/** One slice: the median time of an answer and the server's CPU time for it, both in microseconds. */
async function measure({ child, port, latencies, micros }: Measured, isWarmUp = false): Promise<void> {
  const before = cpuMicrosOf(child.pid as number);
  for (let failed = 0; failed < failuresPerSlice; failed++) {
    const { status } = await fetch(`http://127.0.0.1:${port}/fails`);
    if (status !== 500) throw new Error(`expected the failure's own 500, found ${status}`);
  }
  const wrk = spawn(
    "taskset",
    ["-c", "1", "wrk", "-t1", `-c${connections}`, "--latency", `-d${sliceSeconds}s`, `http://127.0.0.1:${port}/`],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  let told = "";
  wrk.stdout.on("data", (chunk) => (told += chunk));
  await once(wrk, "close");
  const requests = Number(/(\d+) requests in/.exec(told)?.[1]);
  const [, time, unit] = /50%\s+([\d.]+)(us|ms|s)\b/.exec(told) ?? [];
  if (!(requests > 0) || time === undefined || /Non-2xx|Socket errors/.test(told)) throw new Error(`wrk met errors:\n${told}`);
  if (isWarmUp) return;
  latencies.push(Number(time) * { us: 1, ms: 1000, s: 1_000_000 }[unit as "us" | "ms" | "s"]);
  micros.push((cpuMicrosOf(child.pid as number) - before) / requests);
}

const all: readonly (Answer | "away")[] = ["takes", "away", "silent", "slow", "resets", "too much", "unavailable", "drips"];
const chosen = positionals.slice(1);
const kinds = all.filter((each) => each === "takes" || chosen.length === 0 || chosen.includes(each));
const folder = makeTemporaryFolder({ "app.mjs": source });
const running: Measured[] = [];
try {
  for (const name of ["takes, once more", ...kinds]) {
    const port = await freePort();
    const answer = kinds.find((kind) => name.startsWith(kind)) ?? "takes";
    const receiver = answer === "away" ? freePort() : receive({ answer, refusal: 400, taken: () => undefined }).then((each) => each.port);
    const at = `127.0.0.1:${await receiver}`;
    const ini = folder.write(
      `${running.length}.ini`,
      `[server:main]\nfactory = tsserve/http\naccess_log = false\nmetrics.enabled = false\ntracing.endpoint = http://${at}\ntracing.sample = 100%\nsentry.dsn = http://key0123456789@${at}/1\n[app:main]\nfactory = ./app.mjs\n[logging]\nlevel = fatal\n`,
    );
    const child = spawn("taskset", ["-c", "0", values.node, bin, ini, "--bind", `127.0.0.1:${port}`], {
      cwd: folder.path,
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, NODE_ENV: "production" },
    });
    running.push({ child, port, name, latencies: [], micros: [] });
    await firstAnswer(port);
  }
  for (let round = -warmUpRounds; round < 0; round++) for (const each of running) await measure(each, true);
  for (let round = 0; round < rounds; round++) for (const each of round % 2 === 0 ? running : running.toReversed()) await measure(each);
  const takes = running.find(({ name }) => name === "takes");
  const toTakes = (each: readonly number[], of: readonly number[] = []): string =>
    spread(each.map((value, round) => value / (of[round] ?? Number.NaN)));
  for (const { name, latencies, micros } of running) {
    console.log(
      `${name}: ${median(latencies).toFixed(0)} µs an answer, ${toTakes(latencies, takes?.latencies)} of "takes"; ${median(micros).toFixed(1)} µs of CPU, ${toTakes(micros, takes?.micros)}`,
    );
  }
} finally {
  for (const { child } of running) await stop(child);
  folder.remove();
}
process.exit(0);
