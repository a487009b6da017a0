import { expect, test } from "vitest";
import { makeGuard, ownerOf } from "./guard.ts";
import { makeServerState } from "./state.ts";

const fails = (): never => {
  throw new Error("fails");
};

test("what is called through a guard fails alone, and is told with its owner", async () => {
  const told: string[] = [];
  const guard = makeGuard((owner, error) => told.push(`${owner}: ${error.message}`));
  const thenable = { then: (_: unknown, reject: (error: unknown) => void) => reject(new Error("a thenable")) };
  const hostile = {
    get then(): never {
      throw new Error("a getter");
    },
  };
  expect(guard.call("sync", fails, 7)).toBe(7);
  expect(guard.call<unknown>("a promise where a value is expected", () => Promise.reject(new Error("later")), 12)).toBe(12);
  expect(await guard.wait("async", async () => fails(), 8)).toBe(8);
  expect(await guard.wait("at once", fails, 9)).toBe(9);
  expect(await guard.wait("thenable", () => thenable as unknown as PromiseLike<number>, 10)).toBe(10);
  expect(await guard.wait("hostile", () => hostile as unknown as PromiseLike<number>, 11)).toBe(11);
  guard.tell("not waited for", async () => fails());
  guard.tell("not waited for, hostile", () => hostile);
  await new Promise((resolve) => setImmediate(resolve));
  expect(told).toEqual([
    "sync: fails",
    "a promise where a value is expected: later",
    "async: fails",
    "at once: fails",
    "thenable: a thenable",
    "hostile: a getter",
    "not waited for: fails",
    "not waited for, hostile: a getter",
  ]);
});

test("a report that fails is nobody's failure", () => {
  expect(makeGuard(fails).call("x", fails, 1)).toBe(1);
});

test("an owner has its name and its place", () => {
  expect(ownerOf("the onStop hook", function closeDatabase() {})).toMatch(/^the onStop hook "closeDatabase"/);
  expect(ownerOf("the onStop hook", () => undefined)).not.toContain('""');
});

test("one listener of shutdown that fails does not keep the others from hearing", () => {
  const state = makeServerState();
  const heard: string[] = [];
  const told: string[] = [];
  const guard = makeGuard((owner) => told.push(owner));
  const never = (): unknown => heard.push("never");
  state.once("shutdown", function first() {
    fails();
  });
  state.once("shutdown", () => heard.push("second"));
  state.once("shutdown", never);
  state.off("shutdown", never);
  state.enter("SHUTTING_DOWN", guard.tell);
  state.enter("SHUTTING_DOWN", guard.tell);
  expect(heard).toEqual(["second"]);
  expect(told).toEqual([expect.stringMatching(/^the listener of shutdown "first"/)]);
});
