import { expect, test } from "vitest";
import type { SubscriptionState } from "./broker.ts";
import { QueueHealth } from "./queue-health.ts";

test("readiness waits for the first subscription, and forgives 15 s without one; liveness is about a broker that answers", () => {
  let now = 0;
  let states: SubscriptionState[] = [];
  const health = new QueueHealth(() => states, { now: () => now, after: () => () => undefined });
  const at = (ms: number): unknown => {
    now = ms;
    return [health.check("startup"), health.check("readiness"), health.check("liveness")];
  };
  const good = { isSubscribed: true, brokerAnswers: true };
  expect(at(0)).toEqual([false, false, true]);
  states = [good, { isSubscribed: false, brokerAnswers: true }];
  expect(at(1000)).toEqual([false, false, true]);
  states = [good, good];
  expect(at(2000)).toEqual([true, true, true]);
  states = [good, { isSubscribed: false, brokerAnswers: false }];
  expect(at(3000)).toEqual([true, true, true]);
  expect(at(18_000)).toEqual([true, true, true]);
  expect(at(18_001)).toEqual([true, false, true]);
  expect(at(10_000_000)).toEqual([true, false, true]);
  states = [good, { isSubscribed: false, brokerAnswers: true }];
  expect(at(10_000_001)).toEqual([true, false, true]);
  expect(at(10_300_001)).toEqual([true, false, true]);
  expect(at(10_300_002)).toEqual([true, false, false]);
  states = [good, good];
  expect(at(10_300_003)).toEqual([true, true, true]);
});
