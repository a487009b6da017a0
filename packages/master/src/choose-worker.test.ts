import { describe, expect, test } from "vitest";
import { chooseWorker, type Candidate } from "./choose-worker.ts";

const worker = (index: number, more: Partial<Candidate> = {}): Candidate => ({
  index,
  pid: 100 + index,
  isUp: true,
  isSilent: false,
  utilization: 0,
  memoryBytes: 0,
  ...more,
});

describe("which worker is profiled", () => {
  test.each([
    [
      "the busiest for time",
      "cpu",
      [worker(0, { utilization: 0.1 }), worker(1, { utilization: 0.8, memoryBytes: 1 })],
      { index: 1, why: "the busiest of 2" },
    ],
    [
      "the stuck one before all others",
      "cpu",
      [worker(0, { utilization: 1 }), worker(1, { isSilent: true })],
      { index: 1, why: "stuck of 2" },
    ],
    [
      "the largest for memory",
      "heap",
      [worker(0, { memoryBytes: 9 }), worker(1, { utilization: 1 })],
      { index: 0, why: "the largest of 2" },
    ],
    ["the largest for a snapshot", "snapshot", [worker(0), worker(1, { memoryBytes: 9 })], { index: 1, why: "the largest of 2" }],
    ["the first where all are alike", "cpu", [worker(1), worker(0)], { index: 0, why: "the busiest of 2" }],
    ["the only one", "cpu", [worker(3)], { index: 3, why: "" }],
    ["one that serves before one that starts", "cpu", [worker(0, { isUp: false, utilization: 1 }), worker(1)], { index: 1, why: "" }],
    ["one that starts, where there is no other", "cpu", [worker(0, { isUp: false })], { index: 0, why: "" }],
    ["none where none runs", "cpu", [worker(0, { pid: undefined })], { error: "no worker runs" }],
  ] as const)("is %s", (_, kind, workers, expected) => expect(chooseWorker(kind, undefined, workers)).toEqual(expected));

  test("is the one that was named, if there is one", () => {
    expect(chooseWorker("cpu", 0, [worker(0), worker(1, { utilization: 1 })])).toEqual({ index: 0, why: "" });
    expect(chooseWorker("cpu", 7, [worker(0), worker(1)])).toEqual({ error: "there is no worker 7; there are 0, 1" });
    expect(chooseWorker("cpu", 0, [])).toEqual({ error: "there is no worker 0; there are none" });
  });
});
