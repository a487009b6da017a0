import type { WorkerStatus } from "@tsserve/master";
import { describe, expect, test } from "vitest";
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

const at = (index: number, more: Partial<WorkerStatus> = {}): WorkerStatus => ({
  index,
  generation: 1,
  pid: 4711 + index,
  state: "up",
  age_seconds: 7,
  active_requests: 2,
  requests_total: 1_234_567,
  memory_bytes: 80 * 2 ** 20,
  event_loop_utilization: 0.123,
  ...more,
});
const status = (workers: readonly WorkerStatus[]) => ({ pid: 4700, generation: 2, workers });

describe("the table of a fleet in a terminal", () => {
  test("has words to the left and numbers to the right; what is not known is a dash", () => {
    const unknown = at(10, {
      state: "starting",
      pid: null,
      active_requests: null,
      requests_total: null,
      memory_bytes: null,
      event_loop_utilization: null,
      age_seconds: 7300,
    });
    expect(fleetTable(status([at(0, { age_seconds: 130 }), unknown]))).toBe(
      [
        "master 4700, generation 2",
        "WORKER  GEN   PID  STATE       AGE  ACTIVE  REQUESTS  MEMORY  LOOP",
        "     0    1  4711  up        2 min       2   1234567   80 MB  12 %",
        "    10    1     -  starting    2 h       -         -       -     -",
      ].join("\n"),
    );
  });

  test.each([120, 66, 60, 50, 40, 30, 24])("has no line that a terminal of %i columns would wrap", (columns) => {
    const lines = fleetTable(status([at(0), at(1, { state: "stopping" })]), { columns, rows: 40 })
      .split("\n")
      .slice(1);
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(columns);
    // What one looks for stays to the last.
    expect(lines[0]).toMatch(/WORKER .*STATE .*LOOP$/);
  });

  test("leaves out the ages first, then what was ever answered", () => {
    const titles = (columns: number): string => fleetTable(status([at(0)]), { columns, rows: 40 }).split("\n")[1] ?? "";
    expect(titles(60)).not.toContain("AGE");
    expect(titles(60)).toContain("REQUESTS");
    expect(titles(50)).not.toContain("REQUESTS");
    expect(titles(50)).toContain("MEMORY");
  });

  test("fits into the rows of a terminal, and says how many more there are", () => {
    const lines = fleetTable(status(Array.from({ length: 30 }, (_, index) => at(index))), { columns: 80, rows: 10 }).split("\n");
    expect([lines.length, lines.at(-1)]).toEqual([10, "and 23 more"]);
    expect(fleetTable(status([at(0), at(1)]), { columns: 80, rows: 4 }).split("\n")).toHaveLength(4);
  });

  test("of no worker at all is its head", () => {
    expect(fleetTable(status([]))).toBe("master 4700, generation 2\nWORKER  GEN  PID  STATE  AGE  ACTIVE  REQUESTS  MEMORY  LOOP");
  });
});
