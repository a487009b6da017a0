// What do metrics cost? The hello world app with and without them, and with the watch for blocks of the event loop.
// Needs wrk and taskset. Server on core 0, load on core 1, in turn.
// node --import tsx benchmarks/metrics.ts [ROUNDS]
import { writeFileSync } from "node:fs";
import { makeTemporaryFolder } from "@tsserve/testing";
import { bin, measurePinned, median, path, type PinnedFigures } from "./servers.ts";

const rounds = Number(process.argv[2] ?? 9);

const settings = {
  off: "metrics.enabled = false",
  on: "metrics.endpoint = 127.0.0.1:6066",
  "on, blocked_hub": "metrics.endpoint = 127.0.0.1:6066\nmonitoring.blocked_hub = 100 milliseconds",
};
type Subject = keyof typeof settings;
const names = Object.keys(settings) as Subject[];

const folder = makeTemporaryFolder({});

function measure(subject: Subject): Promise<PinnedFigures> {
  const ini = `${folder.path}/app.ini`;
  const text = `[server:main]\nfactory = tsserve/http\naccess_log = false\n${settings[subject]}\n[app:main]\nfactory = ${path("apps/hello.js")}\n`;
  writeFileSync(ini, text);
  return measurePinned((port) => [bin, ini, "--bind", `127.0.0.1:${port}`]);
}

const figures: Record<Subject, PinnedFigures>[] = [];
for (let round = 0; round < rounds; round++) {
  const order = names.map((_, index) => names[(index + round) % names.length] as Subject);
  const measured: [Subject, PinnedFigures][] = [];
  for (const name of order) measured.push([name, await measure(name)]);
  figures.push(Object.fromEntries(measured) as Record<Subject, PinnedFigures>);
  console.log(`round ${round + 1}: ${names.map((name) => `${name} ${Math.round(figures[round]?.[name].rps ?? 0)}`).join(", ")} req/s`);
}
for (const [one, other] of [
  ["on", "off"],
  ["on, blocked_hub", "on"],
] as const) {
  const rps = median(figures.map((each) => each[one].rps / each[other].rps));
  const cpu = median(figures.map((each) => each[one].cpuMicros / each[other].cpuMicros));
  const best = Math.max(...figures.map((each) => each[one].rps)) / Math.max(...figures.map((each) => each[other].rps));
  console.log(
    `metrics ${one} / ${other}: requests per second, median of rounds ${rps.toFixed(3)}, best slices ${best.toFixed(3)}; CPU per request ${cpu.toFixed(3)}`,
  );
}
folder.remove();
