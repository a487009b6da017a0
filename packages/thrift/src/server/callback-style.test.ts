import type { Logger } from "pino";
import { describe, expect, test } from "vitest";
import type { Callable } from "../codec/codec.ts";
import { plainStyle } from "./callback-style.ts";

type Done = (error?: unknown, value?: unknown) => void;

/** A log that keeps what it is told. */
function keeping(): { readonly log: Logger; readonly told: string[] } {
  const told: string[] = [];
  const tell =
    (level: string) =>
    (_fields: object, message: string): void =>
      void told.push(`${level}: ${message}`);
  return { log: { warn: tell("warn"), error: tell("error") } as unknown as Logger, told };
}

const failure = new Error("it fails");
const soon = (done: Done, ...values: unknown[]): void => void setTimeout(() => done(...values), 1);

describe("a method of two arguments", () => {
  test.each<[string, Callable, unknown, string[]?]>([
    ["calls back at once", (a: number, b: number, done: Done) => done(null, a + b), 3],
    ["calls back with undefined for no error", (a: number, b: number, done: Done) => done(undefined, a + b), 3],
    ["calls back later", (a: number, b: number, done: Done) => soon(done, null, a + b), 3],
    ["calls back with nothing", (_a: number, _b: number, done: Done) => done(), undefined],
    ["calls back twice", (a: number, _b: number, done: Done) => (done(null, a), done(failure)), 1],
    ["calls back with an error", (_a: number, _b: number, done: Done) => done(failure), failure],
    [
      "throws",
      (_a: number, _b: number, _done: Done) => {
        throw failure;
      },
      failure,
    ],
    [
      "is async, and rejects",
      async (_a: number, _b: number, _done: Done) => {
        throw failure;
      },
      failure,
    ],
    ["is async, and calls back", async (a: number, b: number, done: Done) => soon(done, null, a + b), 3],
    ["is async, and gives a value", async (a: number, b: number, _done: Done) => a + b, 3, ["warn"]],
    ["gives a value, and calls back", (a: number, b: number, done: Done) => (soon(done, null, a + b), 7), 3, ["warn"]],
    ["gives a timer, and calls back", (a: number, b: number, done: Done) => setTimeout(() => done(null, a + b), 1), 3],
    ["gives what can be waited for, and calls back", (a: number, b: number, done: Done) => (soon(done, null, a + b), { then() {} }), 3],
    ["calls back, and gives a value", (a: number, b: number, done: Done) => (done(null, a + b), 7), 3],
    ["has a default parameter: no callback", (a: number, b = 4) => a + b, 3],
    ["has rest parameters: no callback", (...all: number[]) => all.length, 2],
    ["has two parameters: no callback", (a: number, b: number) => a * b, 2],
  ])("%s", async (_, method, ends, told = []) => {
    const kept = keeping();
    const plain = plainStyle(method, 2, "add", kept.log);
    const ended = await Promise.resolve(plain(1, 2)).catch((error: unknown) => error);
    expect(ended).toBe(ends);
    expect(kept.told.map((each) => each.split(":", 1)[0])).toEqual(told);
  });

  test("is warned of once", async () => {
    const { log, told } = keeping();
    const plain = plainStyle(async (a: number, _b: number, _options: unknown) => a, 2, "add", log);
    expect(await Promise.all([plain(1, 2), plain(3, 4), plain(5, 6)])).toEqual([1, 3, 5]);
    expect(told).toHaveLength(1);
  });

  test("that fails after it has called back is told, and nothing else", async () => {
    const { log, told } = keeping();
    const method = async (a: number, _b: number, done: Done): Promise<void> => {
      done(null, a);
      throw failure;
    };
    expect(await plainStyle(method, 2, "add", log)(1, 2)).toBe(1);
    await expect.poll(() => told).toEqual(["error: the handler failed after it had called back"]);
  });

  test("keeps its this", async () => {
    const object = {
      sum: 10,
      add(a: number, b: number, done: Done): void {
        done(null, this.sum + a + b);
      },
    };
    expect(await plainStyle(object.add, 2, "add", keeping().log).call(object, 1, 2)).toBe(13);
  });
});
