import { expect, test } from "vitest";
import type { Fleet } from "./fleet.ts";
import { statusOf } from "./worker-status.ts";

const base = { index: 0, generation: 1, pid: 100, state: "up", rests: false, startedAt: 1000 };
const status = (...workers: object[]) => statusOf({ workers } as unknown as Fleet, 61_499);

test("a worker that has reported nothing has nothing but its place", () => {
  expect(status({ ...base, pid: undefined, state: "starting" })).toEqual([
    {
      index: 0,
      generation: 1,
      pid: null,
      state: "starting",
      age_seconds: 60,
      active_requests: null,
      requests_total: null,
      memory_bytes: null,
      event_loop_utilization: null,
    },
  ]);
});

test("what it has reported is told as it is", () => {
  const figures = { activeRequests: 0, requestsTotal: 7, memoryBytes: 8, eventLoopUtilization: 0.5 };
  expect(status({ ...base, figures })[0]).toMatchObject({
    active_requests: 0,
    requests_total: 7,
    memory_bytes: 8,
    event_loop_utilization: 0.5,
  });
  expect(status({ ...base, figures })[0]).not.toHaveProperty("messages");
});

test("of a consumer of queues its messages are told", () => {
  const messages = { perSecond: 3, lagSeconds: undefined, retriesTotal: 2, deadTotal: 1 };
  expect(status({ ...base, figures: { messages } })[0]?.messages).toEqual({
    per_second: 3,
    lag_seconds: null,
    retries_total: 2,
    dead_total: 1,
  });
});

test.each([
  ["up", false, "up"],
  ["up", true, "resting"],
  ["starting", true, "starting"],
  ["stopping", true, "stopping"],
])("one that is %s, and rests: %s, is %s", (state, rests, expected) => {
  expect(status({ ...base, state, rests })[0]?.state).toBe(expected);
});

test("they come by their indexes, and the fleet keeps its own order", () => {
  const workers = [3, 1, 2].map((index) => ({ ...base, index }));
  expect(status(...workers).map(({ index }) => index)).toEqual([1, 2, 3]);
  expect(workers.map(({ index }) => index)).toEqual([3, 1, 2]);
});
