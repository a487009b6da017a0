import { ConfigurationError, TsserveError } from "@tsserve/config";
import { describe, expect, test } from "vitest";
import type { Cause } from "./events.ts";
import { exitCodeAfter, signalExitCode, type End } from "./exit-codes.ts";

const term: Cause = { kind: "signal", signal: "SIGTERM" };
const orphaned: Cause = { kind: "orphaned", masterPid: 7 };
const uncaught: Cause = { kind: "uncaught", error: new Error("x"), origin: "exception" };
const wrong = new ConfigurationError([{ key: "a", message: "b", value: undefined }]);

describe("the exit code", () => {
  const table: readonly (readonly [string, End, number])[] = [
    ["asked to stop", { kind: "served", cause: term, lost: false }, 0],
    ["asked to stop, and something was lost", { kind: "served", cause: term, lost: true }, 1],
    ["without a master", { kind: "served", cause: orphaned, lost: false }, 0],
    ["an error that nobody caught", { kind: "served", cause: uncaught, lost: false }, 1],
    ["the server ended", { kind: "served", cause: { kind: "server-ended" }, lost: false }, 1],
    ["asked to stop while it started", { kind: "start-interrupted", cause: term, lost: false }, 0],
    ["the same, and undoing failed", { kind: "start-interrupted", cause: term, lost: true }, 1],
    ["a wrong file", { kind: "start-failed", error: wrong }, 2],
    ["a wrong command line", { kind: "start-failed", error: new TsserveError("ERR_TSSERVE_USAGE", "x") }, 2],
    ["no listener", { kind: "start-failed", error: new TsserveError("ERR_TSSERVE_LISTEN", "x") }, 3],
    ["any other error", { kind: "start-failed", error: new Error("x") }, 3],
    ["a value that is no error", { kind: "start-failed", error: undefined }, 3],
    ["a third SIGTERM", { kind: "signal-repeated", signal: "SIGTERM" }, 143],
    ["a third SIGINT", { kind: "signal-repeated", signal: "SIGINT" }, 130],
    ["the app's own exit(0) while it starts", { kind: "exited", during: "start", code: 0, lost: false }, 3],
    ["the app's own exit(5) while it starts", { kind: "exited", during: "start", code: 5, lost: false }, 3],
    ["the app's own exit(0) while it serves", { kind: "exited", during: "service", code: 0, lost: false }, 1],
    ["the app's own exit(5) while it serves", { kind: "exited", during: "service", code: 5, lost: false }, 5],
    ["the app's own exit(0) in a stop", { kind: "exited", during: "stop", code: 0, lost: false }, 0],
    ["the app's own exit(0) with requests in progress", { kind: "exited", during: "stop", code: 0, lost: true }, 1],
    ["the app's own exit(5) with requests in progress", { kind: "exited", during: "service", code: 5, lost: true }, 1],
  ];
  for (const [name, end, code] of table) test(`${name}: ${code}`, () => expect(exitCodeAfter(end)).toBe(code));
});

test("the number of a signal, as shells tell it", () => {
  expect([signalExitCode("SIGHUP"), signalExitCode("SIGKILL"), signalExitCode("SIGTERM")]).toEqual([129, 137, 143]);
});
