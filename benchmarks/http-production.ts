// What do the settings of production cost per request: rotation, request ids, the real client, an access log to a file, TLS?
// Needs wrk and taskset (Debian: apt-get install wrk). Both servers of a pair run at once on core 0, the load on core 1 asks one
// after the other in short slices; CPU time of the server per request is compared, slice by slice. Both are started anew several times:
// what V8 makes of the same code differs by a tenth from one process to the next ("nothing" compares two of the very same).
// Pairs called bound-… have no tsserve in them: what a setting costs at the least where it is done by hand.
//
//     node --import tsx benchmarks/http-production.ts [slices] [name of a pair …]
import { spawnSync, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "@tsserve/testing";
import { bin, cpuMicrosOf, median, node, path, startPinned, stop } from "./servers.ts";

interface Side {
  readonly name: string;
  readonly scheme: "http" | "https";
  /** The arguments of Node, given the port and a folder for files. */
  args(port: number, folder: string): string[];
}

interface Pair {
  readonly one: Side;
  readonly other: Side;
  /** Header lines that the load sends to both, as a proxy in front would. */
  readonly headers: readonly string[];
  /** `undefined` where it is measured what can be had. */
  readonly wanted: number | undefined;
}

const none = ["access_log = false", "request_id_header ="];
const rotation = "max_keepalive_requests = 1000";
const realIp = "real_ip_from = loopback";
// The lines go to the file; stdout has none, as on the other side.
const toFile = ["access_log = ./access.log"];
const quietStdout = "[logging]\nlevels.tsserve.access = warn";
const certificate = ["tls.certificate", "tls.key"].map(
  (key, index) => `${key} = ${path(`../test/fixtures/tls/localhost${index === 0 ? "" : ".key"}.pem`)}`,
);

const tsserve = (name: string, settings: readonly string[], scheme: Side["scheme"] = "http"): Side => ({
  name,
  scheme,
  args: (port, folder) => {
    const ini = join(folder, "app.ini");
    const server = ["[server:main]", "factory = tsserve/http", "metrics.enabled = false", ...settings];
    writeFileSync(ini, [...server, quietStdout, "[app:main]", `factory = ${path("apps/hello.js")}`, ""].join("\n"));
    return [bin, ini, "--bind", `127.0.0.1:${port}`];
  },
});
const byHand: Side = {
  name: "https by hand",
  scheme: "https",
  args: (port) => [path("apps/hello-by-hand.js"), String(port), "tls"],
};

const bound = (name: string, ...how: readonly string[]): Side => ({
  name,
  scheme: "http",
  args: (port, folder) => [path("apps/bounds-by-hand.js"), String(port), ...how.map((each) => each.replace("FOLDER", folder))],
});

const plain = tsserve("none of them", none);
const proxied = ["X-Forwarded-For: 192.0.2.7", "X-Request-Id: 0190-abc"];
const pairs: Readonly<Record<string, Pair>> = {
  nothing: { one: tsserve("none of them, once more", none), other: plain, headers: [], wanted: 1 },
  rotation: { one: tsserve("rotation", [...none, rotation]), other: plain, headers: [], wanted: 0.98 },
  ids: { one: tsserve("request ids", ["access_log = false"]), other: plain, headers: [], wanted: 0.98 },
  "real-ip": { one: tsserve("the real client", [...none, realIp]), other: plain, headers: proxied, wanted: 0.98 },
  "access-log": { one: tsserve("an access log to a file", ["request_id_header =", ...toFile]), other: plain, headers: [], wanted: 0.98 },
  combined: {
    one: tsserve("an access log to a file, combined", ["request_id_header =", ...toFile, "access_log.format = combined"]),
    other: plain,
    headers: [],
    wanted: 0.98,
  },
  "bound-line": {
    one: bound("Fastify by hand, a constant line a request to a file", "--fastify", "--line", "FOLDER/access.log"),
    other: bound("Fastify by hand", "--fastify"),
    headers: [],
    wanted: undefined,
  },
  "bound-real-ip": {
    one: bound("Fastify by hand, trustProxy, the address asked for once", "--fastify", "--trust"),
    other: bound("Fastify by hand", "--fastify"),
    headers: proxied,
    wanted: undefined,
  },
  "bound-rotation": {
    one: bound("a bare server of Node's that closes after 1,000 requests", "--close-each", "1000"),
    other: bound("a bare server of Node's"),
    headers: [],
    wanted: undefined,
  },
  "bound-rotation-fastify": {
    one: bound("Fastify by hand that closes after 1,000 requests", "--fastify", "--close-each", "1000"),
    other: bound("Fastify by hand", "--fastify"),
    headers: [],
    wanted: undefined,
  },
  all: { one: tsserve("all of them", [rotation, realIp, ...toFile]), other: plain, headers: proxied, wanted: 0.95 },
  tls: { one: tsserve("TLS", [...none, ...certificate], "https"), other: byHand, headers: [], wanted: 0.97 },
};

const sliceSeconds = 1;
const starts = 4;
/** After so many requests V8 has compiled what there is to compile. */
const warmRequests = 60_000;

const slices = Number(process.argv[2] ?? 20);
const chosen = process.argv.length > 3 ? process.argv.slice(3) : Object.keys(pairs);
for (const name of chosen) {
  const pair = pairs[name];
  if (pair === undefined) throw new Error(`no pair "${name}", expected one of ${Object.keys(pairs).join(", ")}`);
  const ratios = await compare(pair);
  const sorted = ratios.toSorted((a, b) => a - b);
  const quartile = (part: number): string => (sorted[Math.floor((sorted.length - 1) * part)] ?? Number.NaN).toFixed(3);
  console.log(
    `${pair.one.name} / ${pair.other.name}: ${median(ratios).toFixed(3)} (quartiles ${quartile(0.25)}, ${quartile(0.75)})${pair.wanted === undefined ? "" : `, wanted ${pair.wanted}`}`,
  );
}

/** CPU per request of the other side, divided by that of the one: below 1 where the one costs more. */
async function compare(pair: Pair): Promise<number[]> {
  const ratios: number[] = [];
  const costs: number[] = [];
  const medians: string[] = [];
  for (let start = 0; start < starts; start++) {
    const found = await compareOnce(pair, Math.ceil(slices / starts), start % 2 === 0 ? [0, 1] : [1, 0]);
    for (const [one, other] of found) ratios.push(other / one);
    for (const [, other] of found) costs.push(other);
    medians.push(median(found.map(([one, other]) => other / one)).toFixed(3));
  }
  console.log(`${pair.other.name}: ${median(costs).toFixed(1)} µs per request; medians of ${starts} starts: ${medians.join(", ")}`);
  return ratios;
}

/** @returns microseconds per request of the one and the other, for each slice */
async function compareOnce({ one, other, headers }: Pair, count: number, order: readonly number[]): Promise<[number, number][]> {
  const sides = [one, other];
  const folders = sides.map(() => mkdtempSync(join(tmpdir(), "http-production-")));
  const servers: ChildProcess[] = [];
  try {
    const urls: string[] = [];
    for (const index of order) {
      const side = sides[index] as Side;
      const port = await freePort();
      servers[index] = startPinned(0, side.args(port, folders[index] as string));
      urls[index] = `${side.scheme}://127.0.0.1:${port}/`;
    }
    for (const url of urls) await answered(url);
    for (const url of urls) for (let requests = 0; requests < warmRequests;) requests += wrk(url, headers, 1);
    const found: [number, number][] = [];
    for (let slice = 0; slice < count; slice++) {
      const micros: [number, number] = [0, 0];
      // Each goes first in turn.
      for (const index of slice % 2 === 0 ? order : order.toReversed()) {
        const pid = servers[index]?.pid as number;
        const before = cpuMicrosOf(pid);
        const requests = wrk(urls[index] as string, headers, sliceSeconds);
        micros[index] = (cpuMicrosOf(pid) - before) / requests;
      }
      found.push(micros);
    }
    return found;
  } finally {
    for (const server of servers) await stop(server);
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  }
}

/** @returns how many requests were answered */
function wrk(url: string, headers: readonly string[], seconds: number): number {
  const lines = headers.flatMap((line) => ["-H", line]);
  const { stdout } = spawnSync("taskset", ["-c", "1", "wrk", "-t1", "-c32", `-d${seconds}s`, ...lines, url], { encoding: "utf8" });
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(stdout);
  return Number(/(\d+) requests in/.exec(stdout)?.[1]);
}

async function answered(url: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const { status } = spawnSync(node, ["-e", `fetch(${JSON.stringify(url)}).then(() => process.exit(0), () => process.exit(1))`], {
      env: { ...process.env, NODE_TLS_REJECT_UNAUTHORIZED: "0" },
      stdio: "ignore",
    });
    if (status === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`no answer of ${url}`);
}
