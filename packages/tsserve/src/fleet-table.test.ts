import type { WorkerStatus } from "@tsserve/master";
import { expect, test } from "vitest";
import { fleetTable } from "./fleet-table.ts";

const worker: WorkerStatus = {
  index: 0,
  generation: 2,
  pid: 101,
  state: "up",
  age_seconds: 119,
  active_requests: 3,
  requests_total: 1234,
  memory_bytes: 100 * 2 ** 20,
  event_loop_utilization: 0.5,
};
const starting: WorkerStatus = {
  ...worker,
  index: 10,
  pid: null,
  state: "starting",
  age_seconds: 7200,
  active_requests: null,
  requests_total: null,
  memory_bytes: null,
  event_loop_utilization: null,
};

test("words stand to the left, numbers to the right, and what is not known is a dash", () => {
  expect(fleetTable({ pid: 100, generation: 2, workers: [worker, starting] }).split("\n")).toEqual([
    "master 100, generation 2",
    "WORKER  GEN  PID  STATE       AGE  ACTIVE  REQUESTS  MEMORY  LOOP",
    "     0    2  101  up        119 s       3      1234  100 MB  50 %",
    "    10    2    -  starting    2 h       -         -       -     -",
  ]);
});

test("where workers consume queues, there is more", () => {
  const messages = { per_second: 12.4, lag_seconds: 0.0421, retries_total: 5, dead_total: 1 };
  const late = { ...messages, lag_seconds: 61.2 };
  const idle = { ...messages, per_second: 0, lag_seconds: null };
  const workers = [messages, late, idle].map((each) => ({ ...worker, messages: each }));
  const [, titles, ...rows] = fleetTable({ pid: 100, generation: 2, workers: [...workers, starting] }).split("\n");
  expect(titles).toMatch(/LOOP {2}MSG\/S {4}LAG {2}RETRIES {2}DEAD$/);
  expect(rows.map((row) => row.trim().split(/ {2,}/).slice(-4))).toEqual([
    ["12", "42 ms", "5", "1"],
    ["12", "61 s", "5", "1"],
    ["0", "-", "5", "1"],
    ["-", "-", "-", "-"],
  ]);
});
