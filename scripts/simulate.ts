// The master's model in a world of chance, over a clock of its own: see packages/master/src/simulation.
// npm run simulate -- [--seed N] [--seeds N] [--steps N per seed] [--seconds N]
// A seed that finds something is printed, and does the same again.
import { parseArgs } from "node:util";
import { simulate } from "../packages/master/src/simulation/simulate.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    seeds: { type: "string", default: "1000000" },
    steps: { type: "string", default: "100000" },
    seconds: { type: "string", default: "60" },
  },
});
const first = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
const count = values.seed === undefined ? Number(values.seeds) : 1;
const stepsPerSeed = Number(values.steps);
const seconds = Number(values.seconds);

const began = performance.now();
let [seeds, steps, lives] = [0, 0, 0];
const found: number[] = [];
const tally = (): string => {
  const passed = (performance.now() - began) / 1000;
  return (
    `${steps} steps in ${lives} lives, seeds ${first} to ${first + seeds - 1} (${seeds}), ${Math.round(passed)} s, ` +
    `${Math.round((steps / passed) * 60)} steps a minute; ${found.length === 0 ? "no violation" : `violations: seeds ${found.join(", ")}`}`
  );
};
while (seeds < count && (performance.now() - began < seconds * 1000 || values.seed !== undefined)) {
  const result = simulate(first + seeds, stepsPerSeed);
  seeds += 1;
  steps += result.steps;
  lives += result.lives;
  if (result.violation !== undefined) {
    found.push(result.seed);
    console.log(
      `seed ${result.seed}, step ${result.steps}: ${result.violation}\nnpm run simulate -- --seed ${result.seed} --steps ${stepsPerSeed}`,
    );
    if (found.length >= 10) break;
  }
  // Of a run of an hour that is ended before, this much is known.
  if (seeds % 100 === 0 && seeds < count) console.log(tally());
}
console.log(tally());
process.exitCode = found.length === 0 ? 0 : 1;
