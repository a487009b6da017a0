import { expect, test } from "vitest";
import { within } from "./within.ts";

test("what answers in time is given, what fails fails as it does, and what does not answer is named", async () => {
  expect(await within(Promise.resolve(7), 1000, "x")).toBe(7);
  await expect(within(Promise.reject(new Error("its own")), 1000, "x")).rejects.toThrow("its own");
  await expect(within(new Promise(() => undefined), 5, "opening a channel")).rejects.toMatchObject({
    reason: "timeout",
    message: "opening a channel: no answer within 5 ms",
  });
});
