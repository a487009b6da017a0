import { expect, test } from "vitest";
import { pipelineRound } from "./support/pipelines.ts";

const pipelines = Number(process.env["PIPELINES"] ?? 10_000);
const perRound = 200;

test(`${pipelines} random pipelines, each with a SIGTERM at a random moment: as many answers as handlers ran`, async () => {
  const failed: string[] = [];
  const sums = { runs: 0, answers: 0, counted: 0 };
  for (let round = 0; round < pipelines / perRound; round++) {
    const seed = 1000 + round;
    const result = await pipelineRound(seed, perRound);
    sums.runs += result.runs;
    sums.answers += result.answers;
    sums.counted += result.counted;
    failed.push(...result.violations.map((each) => `seed ${seed}: ${each}`));
  }
  console.log(`${pipelines} pipelines on Node ${process.version}: ${JSON.stringify(sums)}, violations: ${failed.length}`);
  expect(failed).toEqual([]);
});
