import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { whenAborted } from "./when-aborted.ts";

test("calls once when the signal aborts, and listens no longer", () => {
  const signal = new AbortController();
  let calls = 0;
  whenAborted(signal.signal, () => (calls += 1));
  expect(calls).toBe(0);
  signal.abort();
  signal.abort();
  expect([calls, getEventListeners(signal.signal, "abort")]).toEqual([1, []]);
});

test("calls at once where it has aborted", () => {
  let calls = 0;
  whenAborted(AbortSignal.abort(), () => (calls += 1));
  expect(calls).toBe(1);
});

test("does not call when the wait has ended before", () => {
  const [signal, until] = [new AbortController(), new AbortController()];
  let calls = 0;
  whenAborted(signal.signal, () => (calls += 1), until.signal);
  until.abort();
  expect(getEventListeners(signal.signal, "abort")).toEqual([]);
  signal.abort();
  expect(calls).toBe(0);
});
