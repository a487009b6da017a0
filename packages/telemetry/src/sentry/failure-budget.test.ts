import { describe, expect, it } from "vitest";
import { FailureBudget, kindOf } from "./failure-budget.ts";

function failing(message: string): Error {
  return new Error(message);
}

describe("the budget of reports", () => {
  it("lets ten of a kind through in a minute, and tells the next of those that it held back", () => {
    let now = 0;
    const budget = new FailureBudget(() => now);
    const spent = Array.from({ length: 25 }, (_, index) => budget.spend(failing(`order ${index}`)));
    expect(spent.filter((each) => each !== undefined)).toHaveLength(10);
    expect(budget.held).toBe(15);
    now = 59_999;
    expect(budget.spend(failing("again"))).toBeUndefined();
    now = 60_000;
    expect(budget.spend(failing("again"))).toBe(16);
    expect(budget.spend(failing("again"))).toBe(0);
  });

  it("counts each kind by itself", () => {
    const budget = new FailureBudget(() => 0);
    for (let index = 0; index < 20; index++) budget.spend(failing("one"));
    expect(budget.spend(new TypeError("another class"))).toBe(0);
    expect(budget.spend(new Error("another place"))).toBe(0);
  });

  it("remembers a bounded number of kinds", () => {
    const budget = new FailureBudget(() => 0);
    const errors = Array.from({ length: 5000 }, (_, index) => Object.assign(new Error("x"), { stack: `Error: x\n    at place${index}` }));
    for (const error of errors) expect(budget.spend(error)).toBe(0);
    // The first has been forgotten, so it counts anew rather than being held back for ever.
    for (let index = 0; index < 10; index++) expect(budget.spend(errors[0] as Error)).toBe(0);
    expect(budget.spend(errors[0] as Error)).toBeUndefined();
  });

  it.each([
    ["the place", Object.assign(new Error("a 1"), { stack: "Error: a 1\n    at f (x.js:1:2)" }), "Error\nf (x.js:1:2)"],
    ["the message without numbers", Object.assign(new Error("a 12 of 7"), { stack: "" }), "Error\na 0 of 0"],
    ["the message of an error without a stack", Object.assign(new Error("gone"), { stack: undefined }), "Error\ngone"],
  ])("knows a kind by %s", (_what, error, kind) => {
    expect(kindOf(error)).toBe(kind);
  });
});
