import { expect, test } from "vitest";
import { pipelineRound } from "./support/pipelines.ts";

/** `PIPELINE_SEED=17 npx vitest run test/pipelines.test.ts` runs one again. */
const written = process.env["PIPELINE_SEED"];
const seeds = written === undefined ? [1, 2, 3, 4, 5, 6, 7, 8] : [Number(written)];

// Ranges over the kinds of apps, of requests, of headers that an app sets, and the moment of the signal.
for (const seed of seeds) {
  test(`random pipelines and a SIGTERM: as many answers as handlers ran (seed ${seed})`, async () => {
    const { runs, violations } = await pipelineRound(seed, 40);
    expect(violations).toEqual([]);
    expect(runs).toBeGreaterThan(0);
  });
}
