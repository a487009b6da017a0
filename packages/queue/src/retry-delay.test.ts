import { expect, test } from "vitest";
import { RetryMessage } from "./outcome-errors.ts";
import { retryDelay, retryLimit } from "./retry-delay.ts";

const policy = { limit: 3, delaysMs: [100, 2000] };
const delay = (error: unknown, failures = 1): [number, unknown[]] => {
  const problems: unknown[] = [];
  return [retryDelay(error, failures, policy, (problem) => problems.push(problem)), problems];
};

test("delays follow the list, and the last one repeats", () => {
  expect([1, 2, 3, 99].map((failures) => delay(new Error("x"), failures)[0])).toEqual([100, 2000, 2000, 2000]);
  expect(retryDelay(new Error("x"), 1, { limit: 1, delaysMs: [] }, () => undefined)).toBe(0);
});

test.each([
  [5, 5],
  [0, 0],
  ["3 seconds", 3000],
  ["1 minute", 60_000],
  [undefined, 100],
])("a RetryMessage after %s", (after, ms) => {
  expect(delay(new RetryMessage(after === undefined ? {} : { after }))).toEqual([ms, []]);
});

test.each([["soon"], [""], [-1], [Number.NaN], [Number.POSITIVE_INFINITY], [{}], [null]])(
  "a RetryMessage after %j, which is no time, comes after the usual delay, and that is told",
  (after) => {
    const [ms, problems] = delay(Object.assign(new RetryMessage(), { after }));
    expect([ms, problems.length]).toEqual([100, 1]);
  },
);

test("a RetryMessage of another copy of this package is one, too", () => {
  const other = Object.assign(new Error("later"), { name: "RetryMessage", after: 7 });
  expect(delay(other)).toEqual([7, []]);
  expect(delay({ name: "RetryMessage", after: 7 })).toEqual([100, []]);
});

test("a message may have fewer retries than its consumer allows, never more", () => {
  expect([undefined, 0, 2, 3, 9].map((own) => retryLimit(policy, own))).toEqual([3, 0, 2, 3, 3]);
});
