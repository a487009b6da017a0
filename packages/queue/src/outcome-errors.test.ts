import { expect, test } from "vitest";
import { BrokerError, FatalError, isNamed, RejectMessage, RetryMessage } from "./outcome-errors.ts";
import { PublishError } from "./publish-error.ts";

const throwing = (): never => {
  throw new Error("a getter");
};

test.each([
  [new RetryMessage(), "RetryMessage", true],
  [new RejectMessage(), "RejectMessage", true],
  [new FatalError("the disk is gone"), "FatalError", true],
  [new RejectMessage(), "RetryMessage", false],
  [Object.assign(new Error("of another copy of this package"), { name: "FatalError" }), "FatalError", true],
  [{ name: "FatalError" }, "FatalError", false],
  ["FatalError", "FatalError", false],
  [null, "FatalError", false],
  [Object.defineProperty(new Error("odd"), "name", { get: throwing }), "FatalError", false],
  [new Proxy(new Error("odd"), { get: throwing, getPrototypeOf: throwing }), "FatalError", false],
] as const)("%# is one of that name, or not", (error, name, expected) => expect(isNamed(error, name)).toBe(expected));

test("they say what they are, and keep what caused them", () => {
  const cause = new Error("a cause");
  expect(new RetryMessage({ after: "1 minute", message: "later", cause })).toMatchObject({ after: "1 minute", message: "later", cause });
  expect(new RetryMessage()).toMatchObject({ after: undefined, message: "the handler asked for a retry" });
  expect(new RejectMessage("no", { cause })).toMatchObject({ message: "no", cause });
  expect(new BrokerError("refused", "no")).toMatchObject({ isPermanent: false, code: "ERR_TSSERVE_BROKER" });
});

test.each([
  ["NO_ROUTE", false],
  ["NACK", false],
  ["TIMEOUT", true],
  ["LOST", true],
  ["UNAVAILABLE", false],
  ["REFUSED", false],
] as const)("a message that was not published for %s may have been sent: %s", (code, may) => {
  expect(new PublishError(code, "no").mayHaveBeenSent).toBe(may);
});
