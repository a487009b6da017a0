import { expect, test, vi } from "vitest";
import type { QueueRun } from "./queue-run.ts";
import { RunTimeouts } from "./run-timeouts.ts";

const run = (startedAt: number): QueueRun => ({ startedAt, abort: vi.fn() }) as unknown as QueueRun;

test("a run that takes longer is told once to end, its signal first; others are left alone; after the stop nobody looks", async () => {
  const begun = performance.now();
  const [late, fresh] = [run(begun - 1000), run(begun + 60_000)];
  const runs = new Set([late, fresh]);
  const told: [QueueRun, string][] = [];
  const timeouts = new RunTimeouts(runs, 100, (overdue, error) => {
    expect(overdue.abort).toHaveBeenCalledWith(error);
    told.push([overdue, error.message]);
    runs.delete(overdue);
  });
  timeouts.watch();
  timeouts.watch();
  await vi.waitUntil(() => told.length > 0);
  expect(told).toEqual([[late, "the handler took longer than message_timeout, 100 ms"]]);
  expect(fresh.abort).not.toHaveBeenCalled();
  timeouts.stop();
  runs.add(late);
  await new Promise((resolve) => setTimeout(resolve, 40));
  expect(told).toHaveLength(1);
});
