import { EventEmitter } from "node:events";
import type { ChildProcess } from "node:child_process";
import { describe, expect, it } from "vitest";
import { Notifier, watchdogMs } from "./service-manager.ts";
import type { Assignments } from "./service-state.ts";

/** A program that tells what it was started with, and ends when the test says so. */
function program(): {
  readonly notifier: Notifier;
  readonly started: Assignments[];
  readonly warned: string[];
  end(code: number | Error): Promise<void>;
} {
  const started: Assignments[] = [];
  const warned: string[] = [];
  const children: EventEmitter[] = [];
  const notifier = new Notifier(
    (assignments) => {
      started.push(assignments);
      const child = Object.assign(new EventEmitter(), { unref: () => undefined, kill: () => true });
      children.push(child);
      return child as unknown as ChildProcess;
    },
    (reason) => warned.push(reason),
  );
  return {
    notifier,
    started,
    warned,
    end: async (code) => {
      const child = children.at(-1);
      if (typeof code === "number") child?.emit("exit", code, null);
      else child?.emit("error", code);
      await new Promise(setImmediate);
    },
  };
}

describe("messages to the service manager", () => {
  it("are told one after the other, in order", async () => {
    const { notifier, started, end } = program();
    for (const state of ["READY=1", "RELOADING=1", "READY=1"]) notifier.tell([state]);
    notifier.tell(undefined);
    expect(started).toEqual([["READY=1"]]);
    await end(0);
    await end(0);
    expect(started).toEqual([["READY=1"], ["RELOADING=1"], ["READY=1"]]);
  });

  it.each([
    [1, "systemd-notify ended with 1"],
    [Object.assign(new Error("spawn systemd-notify ENOENT"), { code: "ENOENT" }), "the program systemd-notify is not installed"],
    [Object.assign(new Error("spawn EAGAIN"), { code: "EAGAIN" }), "spawn EAGAIN"],
  ])("that fail with %s are warned of once, until one succeeds", async (failure, reason) => {
    const { notifier, warned, end } = program();
    for (let count = 0; count < 3; count++) {
      notifier.tell(["WATCHDOG=1"]);
      await end(failure);
    }
    expect(warned).toEqual([reason]);
    notifier.tell(["WATCHDOG=1"]);
    await end(0);
    notifier.tell(["WATCHDOG=1"]);
    await end(failure);
    expect(warned).toEqual([reason, reason]);
  });

  it("for which no process can be started are warned of once, and do no harm", async () => {
    const warned: string[] = [];
    let isForbidden = true;
    const started: Assignments[] = [];
    const notifier = new Notifier(
      (assignments) => {
        if (isForbidden) throw new Error("Access to this API has been restricted");
        started.push(assignments);
        return Object.assign(new EventEmitter(), { unref: () => undefined, kill: () => true }) as unknown as ChildProcess;
      },
      (reason) => warned.push(reason),
    );
    for (const state of ["READY=1", "WATCHDOG=1", "STOPPING=1"]) notifier.tell([state]);
    await notifier.end();
    expect(warned).toEqual(["Access to this API has been restricted"]);
    isForbidden = false;
    notifier.tell(["READY=1"]);
    expect(started).toEqual([["READY=1"]]);
  });

  it("that only describe give way when many wait; states never do", async () => {
    const { notifier, started, end } = program();
    notifier.tell(["READY=1"]);
    notifier.tell(["STOPPING=1", "STATUS=stopping"]);
    for (let count = 0; count < 100; count++) notifier.tell([`STATUS=${count}`]);
    for (let count = 0; count < 100; count++) await end(0);
    expect(started.length).toBeLessThan(40);
    expect(started.slice(0, 2)).toEqual([["READY=1"], ["STOPPING=1", "STATUS=stopping"]]);
    expect(started.at(-1)).toEqual(["STATUS=99"]);
  });
});

describe("a sign of life", () => {
  it.each([
    [{}, undefined],
    [{ WATCHDOG_USEC: "" }, undefined],
    [{ WATCHDOG_USEC: "nonsense" }, undefined],
    [{ WATCHDOG_USEC: "0" }, undefined],
    [{ WATCHDOG_USEC: "20000000" }, 10_000],
    [{ WATCHDOG_USEC: "20000000", WATCHDOG_PID: "7" }, 10_000],
    [{ WATCHDOG_USEC: "20000000", WATCHDOG_PID: "8" }, undefined],
    [{ WATCHDOG_USEC: "1" }, 1],
  ])("is wanted of process 7 by %o every %s ms", (env, ms) => {
    expect(watchdogMs(env, 7)).toBe(ms);
  });
});
