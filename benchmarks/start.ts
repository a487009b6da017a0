// How long from exec to the first 200, and how much memory then, against the same Fastify app started by hand? How long until four
// workers have acknowledged, and until an upgrade has replaced them, and until four processes by hand answer that start at once?
// node --import tsx benchmarks/start.ts [PAIRS]
import { helloNames, helloServers } from "./servers.ts";
import { spread } from "./pairs.ts";
import { fleetStart, processStart, startsAtOnce, type Start } from "./starts.ts";

const pairs = Number(process.argv[2] ?? 20);

const starts = new Map<string, () => Promise<Start>>([
  ...helloNames.map((name) => [name, () => processStart(helloServers[name])] as const),
  ...helloNames.map((name) => [`${name}, on one core`, () => processStart(helloServers[name], "0")] as const),
  ["four workers", () => fleetStart(4)],
  ["four by hand, at once", () => startsAtOnce(helloServers["by hand, with a logger"], 4)],
]);
// What V8 compiles, tsserve keeps from the first start on, once that has gone on for a moment.
await processStart(helloServers.tsserve, undefined, 5000);
for (const measure of starts.values()) await measure();
const measured = new Map<string, Start[]>([...starts.keys()].map((name) => [name, []]));
for (let pair = 0; pair < pairs; pair++) for (const [name, measure] of starts) measured.get(name)?.push(await measure());

const of = (name: string, value: (start: Start) => number): number[] => (measured.get(name) ?? []).map(value);
for (const name of starts.keys()) {
  console.log(
    `${name}: ${spread(of(name, ({ ms }) => ms))} ms, ${spread(of(name, ({ cpuMs }) => cpuMs))} ms of CPU, ${spread(of(name, ({ mb }) => mb))} MB`,
  );
}
const compare = (one: string, other: string): void => {
  const ratio = (value: (start: Start) => number): string => {
    const others = of(other, value);
    return spread(of(one, value).map((each, index) => each / (others[index] ?? Number.NaN)));
  };
  const memory = of(other, ({ mb }) => mb);
  const more = spread(of(one, ({ mb }) => mb).map((each, index) => each - (memory[index] ?? Number.NaN)));
  console.log(`${one} / ${other}: ${ratio(({ ms }) => ms)} of the time, ${ratio(({ cpuMs }) => cpuMs)} of the CPU, ${more} MB more`);
};
for (const name of helloNames.slice(0, 2)) {
  compare("tsserve", name);
  compare("tsserve, on one core", `${name}, on one core`);
}
compare("four workers", "tsserve");
compare("four by hand, at once", "by hand, with a logger");
const upgrades = (measured.get("four workers") ?? []).map(({ upgradeMs = Number.NaN, ms }, index) => [
  upgradeMs,
  upgradeMs / (of("tsserve", (start) => start.ms)[index] ?? ms),
]);
console.log(
  `an upgrade of four workers: ${spread(upgrades.map(([ms = 0]) => ms))} ms, ${spread(upgrades.map(([, ratio = 0]) => ratio))} of one start`,
);
