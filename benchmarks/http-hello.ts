// How many requests per second does tsserve cost, against the same Fastify app started by hand?
// Needs wrk and taskset (Debian: apt-get install wrk). Server on core 0, load on core 1, in turn.
import { helloNames, type HelloServer, helloServers, measurePinned, median, type PinnedFigures } from "./servers.ts";

const rounds = Number(process.argv[2] ?? 15);

const figures: Record<HelloServer, PinnedFigures>[] = [];
for (let round = 0; round < rounds; round++) {
  // Each goes first in turn: what the machine does in between falls on all.
  const order = helloNames.map((_, index) => helloNames[(index + round) % helloNames.length] as HelloServer);
  const measured: [HelloServer, PinnedFigures][] = [];
  for (const name of order) measured.push([name, await measurePinned(helloServers[name])]);
  figures.push(Object.fromEntries(measured) as Record<HelloServer, PinnedFigures>);
  console.log(`round ${round + 1}: ${helloNames.map((name) => `${name} ${Math.round(figures[round]?.[name].rps ?? 0)}`).join(", ")} req/s`);
}
for (const name of helloNames.slice(0, 2)) {
  const ratio = median(figures.map((each) => each.tsserve.rps / each[name].rps));
  const cpu = median(figures.map((each) => each.tsserve.cpuMicros / each[name].cpuMicros));
  const best = Math.max(...figures.map(({ tsserve }) => tsserve.rps)) / Math.max(...figures.map((each) => each[name].rps));
  console.log(
    `tsserve / ${name}: requests per second, median of rounds ${ratio.toFixed(3)}, best slices ${best.toFixed(3)}; CPU per request ${cpu.toFixed(3)}`,
  );
}
