import { expect, test } from "vitest";
import { settlable } from "./settlable.ts";

test("the first that settles it counts", async () => {
  const [good, bad] = [settlable(), settlable()];
  good.resolve();
  good.reject(new Error("late"));
  bad.reject(new Error("no"));
  bad.resolve();
  await expect(good.promise).resolves.toBeUndefined();
  await expect(bad.promise).rejects.toThrow("no");
});

test("a rejection that nobody asks for ends no process", async () => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => void unhandled.push(reason);
  process.on("unhandledRejection", note);
  settlable().reject(new Error("nobody"));
  await new Promise((resolve) => setTimeout(resolve, 5));
  process.off("unhandledRejection", note);
  expect(unhandled).toEqual([]);
});
