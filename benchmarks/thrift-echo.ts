// How fast is the Thrift server, against Apache's own, a raw socket, and what baseplate.py runs? The echo struct of
// test/fixtures/thrift/bench.thrift, 1.4 kB. All servers are up on core 0, the load is on core 1: slices of a second in turn,
// each server's CPU time beside its requests per second.
// node --import tsx benchmarks/thrift-echo.ts [ROUNDS] [CONNECTIONSxDEPTH …] [NAME …]
import { fork, spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { freePort, makeTemporaryFolder } from "@tsserve/testing";
import { bin, path, startPinned, stop } from "./servers.ts";
import { accepts } from "./thrift/accepts.ts";
import { echoRequest, type RequestForm } from "./thrift/echo-request.ts";
import { spread } from "./thrift/spread.ts";

const rounds = Number(process.argv[2] ?? 15);
const shapes = process.argv.slice(3).filter((each) => /^\d+x\d+$/.test(each));
const only = process.argv.slice(3).filter((each) => !/^\d+x\d+$/.test(each));
const warmUpRounds = 2;
const seconds = 1;

const byHand = (name: string) => (port: number) => startPinned(0, [path("thrift/servers.js"), name, String(port)]);
const tsserve = (app: string) => (port: number) => startPinned(0, [bin, path(`thrift/${app}.ini`), "--bind", `127.0.0.1:${port}`]);

const servers: Record<string, (port: number) => ChildProcess> = {
  "raw echo": byHand("raw echo"),
  "socket and codec": byHand("socket and codec"),
  apache: byHand("apache framed binary"),
  generated: tsserve("generated"),
  "generated, metrics on": tsserve("generated-metrics"),
  loaded: tsserve("loaded"),
};
const subjects: Record<string, { readonly server: string; readonly form: RequestForm }> = {
  "raw echo": { server: "raw echo", form: "framed binary" },
  "socket and codec": { server: "socket and codec", form: "framed binary" },
  "apache framed binary": { server: "apache", form: "framed binary" },
  "generated framed binary": { server: "generated", form: "framed binary" },
  "generated, metrics on": { server: "generated, metrics on", form: "framed binary" },
  "loaded framed binary": { server: "loaded", form: "framed binary" },
  "loaded framed compact": { server: "loaded", form: "framed compact" },
  "loaded header compact": { server: "loaded", form: "header compact" },
  "loaded header binary": { server: "loaded", form: "header binary" },
  "loaded unframed binary": { server: "loaded", form: "unframed binary" },
};
/** What is compared with what, where both were measured. */
const comparisons = [
  ["socket and codec", "raw echo"],
  ["loaded framed binary", "raw echo"],
  ["loaded framed binary", "socket and codec"],
  ["generated framed binary", "raw echo"],
  ["loaded framed compact", "loaded framed binary"],
  ["loaded header compact", "loaded framed compact"],
  ["loaded unframed binary", "loaded framed binary"],
  ["generated, metrics on", "generated framed binary"],
  ["generated framed binary", "apache framed binary"],
  ["loaded framed binary", "apache framed binary"],
  ["loaded header compact", "python header compact"],
] as const;

if (spawnSync("/usr/bin/python3", ["-c", "import gevent, thrift"]).status === 0 && spawnSync("thrift", ["--version"]).status === 0) {
  const generated = makeTemporaryFolder({});
  spawnSync("thrift", ["--gen", "py", "-out", generated.path, path("../test/fixtures/thrift/bench.thrift")]);
  const args = ["-c", "0", "/usr/bin/python3", path("thrift/baseplate_like.py")];
  servers["python"] = (port) => spawn("taskset", [...args, String(port), generated.path], { stdio: ["ignore", "ignore", "inherit"] });
  subjects["python header compact"] = { server: "python", form: "header compact" };
} else console.log("python3-gevent, python3-thrift or thrift-compiler is missing: left out");

interface Figures {
  readonly rps: number;
  readonly cpuMicros: number;
}

async function compare(shape: string, names: readonly string[]): Promise<void> {
  const [connections = 1, depth = 1] = shape.split("x").map(Number);
  const running = new Map<string, { readonly port: number; readonly child: ChildProcess }>();
  for (const name of new Set(names.map((each) => subjects[each]?.server ?? ""))) {
    const port = await freePort();
    running.set(name, { port, child: servers[name]?.(port) as ChildProcess });
    await accepts(port);
  }
  const load = fork(path("thrift/load-in-turn.js"), { execPath: "taskset", execArgv: ["-c", "1", process.execPath] });
  const targets = names.map((name) => {
    const { server, form } = subjects[name] as (typeof subjects)[string];
    const { port, child } = running.get(server) as { port: number; child: ChildProcess };
    return { port, pid: child.pid, hex: echoRequest(form).toString("hex") };
  });
  load.send({ servers: targets, connections, depth });
  await once(load, "message");
  const figures = new Map<string, Figures[]>(names.map((name) => [name, []]));
  for (let round = -warmUpRounds; round < rounds; round++) {
    for (let turn = 0; turn < names.length; turn++) {
      const index = (turn + Math.max(0, round)) % names.length;
      load.send({ index, seconds });
      const [measured] = (await once(load, "message")) as [Figures];
      if (round >= 0) figures.get(names[index] ?? "")?.push(measured);
    }
  }
  load.disconnect();
  for (const { child } of running.values()) await stop(child);
  print(shape, figures);
}

function print(shape: string, figures: ReadonlyMap<string, readonly Figures[]>): void {
  const of = (name: string, what: keyof Figures): number[] => (figures.get(name) ?? []).map((each) => each[what]);
  console.log(`\n${shape} (connections x outstanding), median of ${rounds} slices (quartiles)`);
  for (const name of figures.keys())
    console.log(`  ${name.padEnd(25)} ${spread(of(name, "cpuMicros"), 2)} us CPU, ${spread(of(name, "rps"), 0)} requests/s`);
  for (const [name, other] of comparisons) {
    if (!figures.has(name) || !figures.has(other)) continue;
    const ratios = (what: keyof Figures): number[] => of(name, what).map((value, round) => value / (of(other, what)[round] ?? Number.NaN));
    const cpu = ratios("cpuMicros").map((ratio) => 1 / ratio);
    console.log(`  ${name}, of ${other}: ${spread(cpu, 3)} by CPU time, ${spread(ratios("rps"), 3)} by requests/s`);
  }
}

const names = Object.keys(subjects).filter((name) => only.length === 0 || only.includes(name));
for (const shape of shapes.length > 0 ? shapes : ["16x1", "16x16"]) await compare(shape, names);
