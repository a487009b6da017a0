import { expect, test } from "vitest";
import { FinishedMessages } from "./finished-messages.ts";

function made(limit = 10): { finished: FinishedMessages; running: Set<{ key: number | undefined }> } {
  const running = new Set<{ key: number | undefined }>();
  return { finished: new FinishedMessages(limit, running), running };
}

test("what was never here is not known, what is finished is, and what failed is forgotten", () => {
  const { finished } = made();
  expect(finished.find(1)).toBeUndefined();
  finished.end(1, true);
  finished.end(2, false);
  expect([finished.find(1), finished.find(2)]).toEqual([true, undefined]);
});

test.each([[true], [false]])("who asks for a message that runs is told what becomes of it: %s", async (isFinished) => {
  const { finished, running } = made();
  const run = { key: 1 };
  running.add({ key: undefined });
  running.add(run);
  const asked = [finished.find(1), finished.find(1)].map(async (found) => found);
  expect(finished.find(1)).toBeInstanceOf(Promise);
  running.delete(run);
  finished.end(1, isFinished);
  expect(await Promise.all(asked)).toEqual([isFinished, isFinished]);
  expect(finished.find(1)).toBe(isFinished ? true : undefined);
});

test("so is who asks while it is on its way out", async () => {
  const { finished } = made();
  finished.leaves(1);
  const asked = finished.find(1);
  finished.end(1, true);
  expect(await asked).toBe(true);
});

test("at least as many as the limit are remembered, at most twice as many", () => {
  const { finished } = made(100);
  for (let key = 0; key < 1000; key += 1) {
    finished.end(key, true);
    for (const recent of [key, key - 50, key - 99]) if (recent >= 0) expect(finished.find(recent)).toBe(true);
    if (key >= 200) expect(finished.find(key - 200)).toBeUndefined();
  }
});
