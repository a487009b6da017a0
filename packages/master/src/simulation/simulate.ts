import { step } from "../step.ts";
import { Random } from "./random.ts";
import { Violation } from "./violation.ts";
import { World, type Model } from "./world.ts";

/** What came of one seed. */
export interface Simulated {
  readonly seed: number;
  /** How many steps the model has made. */
  readonly steps: number;
  /** Lives of a master: each from its start to its stop. */
  readonly lives: number;
  /** What did not hold, with the last that happened before; `undefined` when all did. */
  readonly violation: string | undefined;
}

/** A life is about so long: its end is worth a test, too. */
const stepsOfLife = 5000;

/**
 * Puts the model of the master through lives that chance makes up, until it has made so many steps. The same seed does the
 * same again.
 *
 * @param model what is put to the test; planted faults wrap `step`
 */
export function simulate(seed: number, steps: number, model: Model = step): Simulated {
  const random = new Random(seed);
  let [made, lives] = [0, 0];
  while (made < steps) {
    const world = new World(random, model);
    try {
      world.live(Math.min(stepsOfLife, Math.max(1, steps - made)));
    } catch (error) {
      const isFound = error instanceof Violation;
      const message = isFound ? error.message : String((error as Error).stack);
      return {
        seed,
        steps: made + world.steps,
        lives: lives + 1,
        violation: `${message}\n${world
          .trail()
          .map((line) => `  ${line}`)
          .join("\n")}`,
      };
    }
    made += world.steps;
    lives += 1;
  }
  return { seed, steps: made, lives, violation: undefined };
}
