import { Causes } from "@tsserve/server";
import { expect, test } from "vitest";
import type { Host } from "./host.ts";
import { interruptible, Interruption, interruptionExitCode } from "./interruptible.ts";

const host = (causes: Causes): Host => ({ causes }) as Host;
const never = new Promise<never>(() => undefined);

test("gives what the work gives, and fails as it fails", async () => {
  await expect(interruptible(host(new Causes()), Promise.resolve(7))).resolves.toBe(7);
  await expect(interruptible(host(new Causes()), Promise.reject(new Error("no")))).rejects.toThrow("no");
});

test("gives up for a signal, with its number, and for an error that nobody caught, with 1", async () => {
  for (const [cause, code] of [
    [{ kind: "signal", signal: "SIGINT" }, 130],
    [{ kind: "uncaught", error: new Error("x"), origin: "exception" }, 1],
  ] as const) {
    const causes = new Causes();
    const interrupted = interruptible(host(causes), never).catch((error: unknown) => error);
    causes.add(cause);
    const error = await interrupted;
    expect(error).toBeInstanceOf(Interruption);
    expect([(error as Interruption).reason, interruptionExitCode(error as Interruption)]).toEqual([cause, code]);
  }
});
