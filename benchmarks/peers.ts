// Does a start cost more where the optional peers (OpenTelemetry, Sentry) are installed, and nothing asks for them? Copies the project
// to a temporary folder, removes them there, and starts hello world in both, in turn.
// node --import tsx benchmarks/peers.ts [PAIRS]
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spread } from "./pairs.ts";
import { path } from "./servers.ts";
import { processStart, type Start } from "./starts.ts";

const pairs = Number(process.argv[2] ?? 20);
const here = path("..");
const without = mkdtempSync(join(tmpdir(), "tsserve-peers-"));
try {
  spawnSync("cp", ["-a", ...["packages", "benchmarks", "node_modules"].map((each) => join(here, each)), without], { stdio: "inherit" });
  for (const scope of ["@opentelemetry", "@sentry"]) rmSync(join(without, "node_modules", scope), { recursive: true });
  const start = (root: string, lastsMs = 100): Promise<Start> =>
    processStart(
      (port) => [join(root, "packages/tsserve/bin/tsserve.js"), join(root, "benchmarks/apps/hello.ini"), "--bind", `127.0.0.1:${port}`],
      undefined,
      lastsMs,
    );
  // What V8 compiles is kept from the first start on, once that has gone on for a moment.
  for (const root of [here, without]) await start(root, 5000);
  const ratios: { readonly ms: number; readonly cpu: number }[] = [];
  const cpu: Record<"with" | "without", number[]> = { with: [], without: [] };
  for (let pair = 0; pair < pairs; pair++) {
    const order = pair % 2 === 0 ? [here, without] : [without, here];
    const starts = new Map<string, Start>();
    for (const root of order) starts.set(root, await start(root));
    const [one, other] = [starts.get(here), starts.get(without)] as [Start, Start];
    cpu.with.push(one.cpuMs);
    cpu.without.push(other.cpuMs);
    ratios.push({ ms: one.ms / other.ms, cpu: one.cpuMs / other.cpuMs });
  }
  console.log(`with them ${spread(cpu.with)} ms of CPU, without ${spread(cpu.without)}`);
  console.log(`with / without: ${spread(ratios.map((each) => each.cpu))} of the CPU, ${spread(ratios.map((each) => each.ms))} of the time`);
} finally {
  rmSync(without, { recursive: true, force: true });
}
