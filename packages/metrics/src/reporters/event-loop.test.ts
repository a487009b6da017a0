import { Meter } from "@tsserve/server";
import { expect, test } from "vitest";
import { eachTurn, type Turn } from "./each-turn.ts";
import { eventLoopReporter } from "./event-loop.ts";
import { processGauges } from "./process-gauges.ts";

function standStill(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("each turn tells for how long something ran in it, and sleeping is no work", async () => {
  const turns: Turn[] = [];
  const end = eachTurn((turn) => turns.push(turn));
  await nextTurn();
  turns.length = 0;
  standStill(30);
  await nextTurn();
  expect(Math.max(...turns.map(({ busyMs }) => busyMs))).toBeGreaterThanOrEqual(30);
  const began = performance.now();
  await new Promise((resolve) => setTimeout(resolve, 50));
  await nextTurn();
  const passed = (turns.at(-1)?.nowMs ?? 0) - began;
  const worked = turns.filter(({ nowMs }) => nowMs > began).reduce((sum, { busyMs }) => sum + busyMs, 0);
  expect(passed).toBeGreaterThanOrEqual(45);
  expect(worked).toBeLessThan(passed);
  end();
  const count = turns.length;
  await nextTurn();
  await nextTurn();
  expect(turns).toHaveLength(count);
});

test("a listener can end it from within", async () => {
  let turns = 0;
  const end = eachTurn(() => {
    turns += 1;
    end();
  });
  for (let n = 0; n < 5; n++) await nextTurn();
  expect(turns).toBe(1);
});

function delays(meter: Meter): Record<string, number> {
  const named = meter.series.filter(({ family }) => family.name === "runtime_event_loop_delay_seconds");
  return Object.fromEntries(named.map(({ labels, cell }) => [labels["quantile"] ?? "", meter.values[cell] ?? 0]));
}

test("timers were late by as long as what ran before them; each report tells of the time since the last one", async () => {
  const meter = new Meter();
  const reporter = eventLoopReporter(processGauges(meter, "host", 7));
  await nextTurn();
  await nextTurn();
  standStill(40);
  await nextTurn();
  for (let n = 0; n < 20; n++) await nextTurn();
  reporter.report();
  const seen = delays(meter);
  expect(Object.keys(seen).toSorted()).toEqual(["0.5", "0.9", "0.99", "1"]);
  expect(seen["1"]).toBeGreaterThanOrEqual(0.04);
  expect(seen["0.99"]).toBe(seen["1"]);
  expect(seen["0.5"]).toBeLessThan(seen["1"] ?? 0);
  // Nothing has been late since: the loop has not turned.
  reporter.report();
  expect(Object.values(delays(meter))).toEqual([0, 0, 0, 0]);
  reporter.end?.();
});

test("a loop that is busy is looked at by a timer, which tells of lateness as well", async () => {
  const meter = new Meter();
  const reporter = eventLoopReporter(processGauges(meter, "host", 7));
  standStill(50);
  await nextTurn();
  reporter.report();
  for (let n = 0; n < 100 && (delays(meter)["1"] ?? 0) < 0.05; n++) {
    // The first interval of the timer is not counted, the one of the block is.
    for (const ms of [0, 60, 0]) {
      standStill(ms);
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    reporter.report();
  }
  expect(delays(meter)["1"]).toBeGreaterThanOrEqual(0.05);
  reporter.end?.();
});
