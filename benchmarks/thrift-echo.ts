// How fast is the Thrift server, against Apache's own, a raw socket, and what baseplate.py runs? The echo struct of
// test/fixtures/thrift/bench.thrift, 1.4 kB. Server on core 0, load on core 1, in turn.
// node --import tsx benchmarks/thrift-echo.ts [ROUNDS] [CONNECTIONSxDEPTH …]
import { fork, spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { freePort, makeTemporaryFolder } from "@tsserve/testing";
import { bin, cpuSeconds, median, path, startPinned, stop } from "./servers.ts";
import { accepts } from "./thrift/accepts.ts";
import { echoRequest, type RequestForm } from "./thrift/echo-request.ts";

const rounds = Number(process.argv[2] ?? 5);
const shapes = process.argv.length > 3 ? process.argv.slice(3).filter((each) => /^\d+x\d+$/.test(each)) : ["16x1", "16x16"];
const only = process.argv.slice(3).filter((each) => !/^\d+x\d+$/.test(each));
const seconds = 2;

interface Subject {
  readonly form: RequestForm;
  start(port: number): ChildProcess;
}

const byHand = (name: string) => (port: number) => startPinned(0, [path("thrift/servers.js"), name, String(port)]);
const tsserve = (app: string) => (port: number) => startPinned(0, [bin, path(`thrift/${app}.ini`), "--bind", `127.0.0.1:${port}`]);

const subjects: Record<string, Subject> = {
  "raw echo": { form: "framed binary", start: byHand("raw echo") },
  "apache framed binary": { form: "framed binary", start: byHand("apache framed binary") },
  "generated framed binary": { form: "framed binary", start: tsserve("generated") },
  "generated, metrics on": { form: "framed binary", start: tsserve("generated-metrics") },
  "loaded framed binary": { form: "framed binary", start: tsserve("loaded") },
  "loaded framed compact": { form: "framed compact", start: tsserve("loaded") },
  "loaded header compact": { form: "header compact", start: tsserve("loaded") },
  "loaded header binary": { form: "header binary", start: tsserve("loaded") },
  "loaded unframed binary": { form: "unframed binary", start: tsserve("loaded") },
};

if (spawnSync("/usr/bin/python3", ["-c", "import gevent, thrift"]).status === 0 && spawnSync("thrift", ["--version"]).status === 0) {
  const generated = makeTemporaryFolder({});
  spawnSync("thrift", ["--gen", "py", "-out", generated.path, path("../test/fixtures/thrift/bench.thrift")]);
  const args = ["-c", "0", "/usr/bin/python3", path("thrift/baseplate_like.py")];
  subjects["python header compact"] = {
    form: "header compact",
    start: (port) => spawn("taskset", [...args, String(port), generated.path], { stdio: ["ignore", "ignore", "inherit"] }),
  };
} else console.log("python3-gevent, python3-thrift or thrift-compiler is missing: left out");

interface Figures {
  readonly rps: number;
  readonly cpuMicros: number;
}

async function measure({ form, start }: Subject, shape: string): Promise<Figures> {
  const port = await freePort();
  const server = start(port);
  await accepts(port);
  const [connections = "1", depth = "1"] = shape.split("x");
  const load = fork(path("thrift/load.js"), [String(port), connections, depth, String(seconds), echoRequest(form).toString("hex")], {
    execPath: "taskset",
    execArgv: ["-c", "1", process.execPath],
  });
  await once(load, "message");
  const before = cpuSeconds(server.pid as number);
  const [{ rps, answers }] = (await once(load, "message")) as [{ rps: number; answers: number }];
  const cpuMicros = ((cpuSeconds(server.pid as number) - before) * 1e6) / answers;
  await stop(server);
  return { rps, cpuMicros };
}

const names = Object.keys(subjects).filter((name) => only.length === 0 || only.includes(name));
for (const shape of shapes) {
  const figures = new Map<string, Figures[]>(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [index] of names.entries()) {
      const name = names[(index + round) % names.length] as string;
      figures.get(name)?.push(await measure(subjects[name] as Subject, shape));
    }
  }
  const rps = (name: string): number => median((figures.get(name) ?? []).map((each) => each.rps));
  const against = (name: string, other: string): string => (figures.has(other) ? (rps(name) / rps(other)).toFixed(2) : "-");
  console.log(`\n${shape} (connections x outstanding)`);
  for (const name of names) {
    const cpu = median((figures.get(name) ?? []).map((each) => each.cpuMicros));
    console.log(
      `${name.padEnd(26)} ${Math.round(rps(name)).toString().padStart(8)} req/s  ${cpu.toFixed(1).padStart(6)} us CPU  x apache ${against(name, "apache framed binary")}  x raw ${against(name, "raw echo")}  x python ${against(name, "python header compact")}`,
    );
  }
}
