import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { applyDeadline } from "./deadline.ts";
import type { ThriftRequest } from "./thrift-request.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

type Bounded = Pick<ThriftRequest, "startedAt" | "deadlineAt" | "deadlineTimer">;

/** When a request expires that began at 1000; `undefined` when it does not. */
function expiryOf(written: string | undefined): { readonly at: number | undefined; readonly fired: number } {
  let fired = 0;
  const request: Bounded = { startedAt: 1000, deadlineAt: undefined, deadlineTimer: undefined };
  applyDeadline(request as ThriftRequest, written, (each) => {
    expect(each).toBe(request);
    fired += 1;
  });
  vi.runAllTimers();
  return { at: request.deadlineAt, fired };
}

test.each([
  ["250", 1250],
  ["0.5", 1000.5],
  ["1", 1001],
  // The caller has given up already.
  ["-5", 995],
  [String(2 ** 31 - 1), 1000 + 2 ** 31 - 1],
])("a budget of %s ms", (written, at) => expect(expiryOf(written)).toEqual({ at, fired: 1 }));

test.each([undefined, "", "0", "0.0", "abc", "1e3", " 5", "5ms", "NaN", "Infinity", String(2 ** 31), "99999999999999999999"])(
  "a budget of %s is none",
  (written) => expect(expiryOf(written)).toEqual({ at: undefined, fired: 0 }),
);
