import { expect, test } from "vitest";
import { isTraceId, newSpanId, newTraceId } from "./trace-ids.ts";

test("ids are of their form and never the same, however many are made", () => {
  const made = new Set<string>();
  for (let n = 0; n < 20_000; n++) {
    const [trace, span] = [newTraceId(), newSpanId()];
    if (!/^[0-9a-f]{32}$/.test(trace) || !/^[0-9a-f]{16}$/.test(span)) expect([trace, span]).toEqual([]);
    made.add(trace).add(span).add(trace.slice(0, 16)).add(trace.slice(16));
  }
  expect(made.size).toBe(80_000);
});

test.each([
  ["0af7651916cd43dd8448eb211c80319c", true],
  ["a-B-9", true],
  ["x".repeat(64), true],
  ["x".repeat(65), false],
  ["", false],
  ["a b", false],
  ['a"', false],
  [7, false],
  [undefined, false],
])("an id of others' that is taken: %j, %s", (text, expected) => expect(isTraceId(text)).toBe(expected));
