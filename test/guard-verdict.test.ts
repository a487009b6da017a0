import { expect, test } from "vitest";
import { sentenceOf, verdictOf } from "../benchmarks/guard-verdict.ts";

const found = (median: number, noise = 0): { median: number; noise: number } => ({ median, noise });
const compared = (...ratios: number[]): { name: string; ratios: number[] } => ({ name: "start", ratios });

test.each([
  ["as on record", [1, 1, 1, 1, 1], found(1), false],
  ["worse than on record, in every pair alike", [1.1, 1.1, 1.1, 1.1, 1.1], found(1), true],
  ["worse by less than the pairs differ", [0.9, 1, 1.1, 1.2, 1.3], found(1), false],
  ["worse by less than the pairs on record differed", [1.1, 1.1, 1.1, 1.1, 1.1], found(1, 0.1), false],
  ["worse by what one run differs from the next", [1.015, 1.015, 1.015], found(1), false],
  ["better", [0.5, 0.5, 0.5], found(1), false],
  ["one pair of ten that something else disturbed", [1, 1, 1, 1, 1, 1, 1, 1, 1, 9], found(1), false],
  ["nothing on record", [5, 5, 5], undefined, false],
])("%s", (_name, ratios, recorded, isWorse) => {
  expect(verdictOf(compared(...ratios), recorded).isWorse).toBe(isWorse);
});

test("the median and the noise are told, whatever order the pairs came in", () => {
  expect(verdictOf(compared(1.3, 1, 1.1, 1.2, 0.9), found(1))).toMatchObject({ median: 1.1 });
  expect(sentenceOf(verdictOf(compared(1.3, 1, 1.1, 1.2, 0.9), found(0.5, 0.01)))).toBe(
    "WORSE: start: 1.100 ± 0.200, on record 0.500 ± 0.010",
  );
  expect(sentenceOf(verdictOf(compared(1, 1), undefined))).toBe("ok: start: 1.000 ± 0.000, nothing on record");
});
