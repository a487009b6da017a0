import { describe, expect, test } from "vitest";
import { followExit, type Unfinished } from "./follow-exit.ts";

const nothing: Unfinished = { hooks: 0, isRecorded: false, gateway: undefined, mustPush: false };

/** Ends a process with this code while a job runs, and gives what is said, and what it ends with. */
function exit(code: number | undefined, unfinished: Partial<Unfinished>, how: { isEnding?: boolean; isOver?: boolean } = {}) {
  const lines: string[] = [];
  const process: { exitCode: number | undefined } = { exitCode: code };
  let end = (): void => undefined;
  const host = { isEnding: how.isEnding ?? false, process, onExit: (listener: () => void) => void (end = listener) };
  const log = { warn: (text: string) => void lines.push(text) };
  const endFollowing = followExit(host, log as never, () => ({ ...nothing, ...unfinished }));
  if (how.isOver === true) endFollowing();
  end();
  return { lines, exitCode: process.exitCode };
}

describe("a job that ends the process itself", () => {
  test.each([
    [{ hooks: 2 }, /its onStop hooks did not run: let it return/],
    [{ isRecorded: true }, /its span was not sent/],
    [{ gateway: "http://gateway" }, /its metrics were not pushed/],
    [{ hooks: 1, isRecorded: true, gateway: "http://gateway" }, /did not run, its span was not sent, its metrics were not pushed/],
  ])("with %j left undone: it is said", (unfinished, message) => {
    const { lines, exitCode } = exit(0, unfinished);
    expect([lines.length, exitCode]).toEqual([1, 0]);
    expect(lines[0]).toMatch(message);
  });

  test.each([
    ["nothing was left undone", {}, {}],
    ["the command ends it", { hooks: 1, gateway: "x", mustPush: true }, { isEnding: true }],
    ["the job is over", { hooks: 1, gateway: "x", mustPush: true }, { isOver: true }],
  ])("not a word, and no other exit code, where %s", (_what, unfinished, how) => {
    expect(exit(0, unfinished, how)).toEqual({ lines: [], exitCode: 0 });
  });

  test.each([
    [0, 1],
    [undefined, 1],
    [7, 7],
  ])("whose push is required ends with no success: %s", (code, exitCode) => {
    expect(exit(code, { gateway: "x", mustPush: true }).exitCode).toBe(exitCode);
  });
});
