import { isTsserveError } from "@tsserve/config";
import { expect, test } from "vitest";
import { ownPermission, refuseWithoutProcesses } from "./refuse-without-processes.ts";

const allowing = (...scopes: string[]): { has(scope: string): boolean } => ({ has: (scope) => scopes.includes(scope) });

test.each([
  ["no permission model", undefined],
  ["child processes among what is allowed", allowing("fs.read", "child", "worker")],
  ["this process's own", ownPermission()],
])("%s: they may be started", (_, permission) => expect(() => refuseWithoutProcesses("--workers", permission)).not.toThrow());

test.each([
  ["--workers", allowing()],
  ["--reload", allowing("fs.read", "fs.write", "worker", "net")],
])("%s is refused where they are forbidden, and what is expected is named", (what, permission) => {
  try {
    refuseWithoutProcesses(what, permission);
    expect.fail("it was not refused");
  } catch (thrown) {
    expect(isTsserveError(thrown, "ERR_TSSERVE_USAGE")).toBe(true);
    expect((thrown as Error).message).toContain(`${what} starts processes`);
    expect((thrown as Error).message).toContain("--allow-child-process");
  }
});
