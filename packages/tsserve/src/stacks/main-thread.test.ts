import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { until } from "@tsserve/testing";
import { expect, test } from "vitest";
import type { ObserveMainThread } from "./shared.ts";

const { observeMainThread } = createRequire(import.meta.url)("../../dist/stacks/main-thread.cjs") as {
  observeMainThread: ObserveMainThread;
};

/** Runs a program of Node's, and looks at its main thread. */
async function observed(program: string, look: (pid: number) => Promise<void>): Promise<void> {
  const child = spawn(process.execPath, ["-e", `console.log("up");${program}`], { stdio: ["pipe", "pipe", "inherit"] });
  await once(child.stdout, "data");
  try {
    await look(child.pid as number);
  } finally {
    child.kill("SIGKILL");
  }
}

const isLinux = process.platform === "linux" && ["x64", "arm64"].includes(process.arch);

test.runIf(isLinux)("a loop that sleeps waits at its own epoll, and what it has worked stays as it is", async () => {
  await observed("setInterval(() => {}, 1e9)", async (pid) => {
    const thread = observeMainThread(pid, process.arch);
    const place = await until("its sleep", () => (typeof thread.place() === "number" ? thread.place() : undefined));
    expect(place).toBeGreaterThan(2);
    const worked = thread.workedNs();
    expect(worked).toBeGreaterThan(0n);
    expect([thread.place(), thread.workedNs()]).toEqual([place, worked]);
  });
});

test.runIf(isLinux)("one that works is running, and works more and more", async () => {
  await observed("for (;;);", async (pid) => {
    const thread = observeMainThread(pid, process.arch);
    await until("its work", () => thread.place() === "running");
    const worked = thread.workedNs();
    await until("more of it", () => thread.workedNs() > worked);
  });
});

test.runIf(isLinux).each([
  ["Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)", "another thread"],
  ["require('fs').readSync(0, Buffer.alloc(1))", "a file"],
])("one that waits in %s, for %s, is elsewhere", async (program) => {
  await observed(program, async (pid) => {
    const thread = observeMainThread(pid, process.arch);
    await until("its wait", () => thread.place() === "elsewhere" && execFileSync("cat", [`/proc/${pid}/wchan`]).length > 0);
    expect(thread.place()).toBe("elsewhere");
  });
});

test.each([
  ["a machine whose system calls nobody has named", process.pid, "mips"],
  ["a process that is not there", 2 ** 30, process.arch],
])("%s can't be looked at: there is no place to rest in", (_, pid, arch) => {
  const thread = observeMainThread(pid, arch);
  expect(typeof thread.place()).toBe("string");
  if (pid !== process.pid) expect(thread.workedNs()).toBe(0n);
});
