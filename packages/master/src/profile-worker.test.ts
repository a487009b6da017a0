import { describe, expect, test } from "vitest";
import type { Candidate } from "./choose-worker.ts";
import { profileWorker, type ProfileOrder } from "./profile-worker.ts";
import type { WatchdogLine } from "./watchdog-line.ts";

const worker = (index: number, more: Partial<Candidate> = {}): Candidate => ({
  index,
  pid: 100 + index,
  isUp: true,
  isSilent: false,
  utilization: 0,
  memoryBytes: 0,
  ...more,
});
const order: ProfileOrder = { kind: "cpu", worker: undefined, ms: 5000, heapsFree: 2, by: "an operator" };

type Answer = Awaited<ReturnType<WatchdogLine["ask"]>>;

/** Asks for a profile among these workers, whose line answers so; with what was done, in its order. */
async function ask(candidates: readonly Candidate[], question: Partial<ProfileOrder>, answer: Partial<Answer> | Error | "no line") {
  const told: string[] = [];
  const line = {
    ask: async (asked: { readonly kind: string }, withinMs: number): Promise<Answer> => {
      told.push(`ask ${asked.kind} within ${withinMs} ms`);
      if (answer instanceof Error) throw answer;
      return await Promise.resolve(answer as Answer);
    },
  };
  const result = await profileWorker(
    { ...order, ...question },
    {
      candidates: () => candidates,
      line: () => (answer === "no line" ? undefined : (line as unknown as WatchdogLine)),
      stepAside: async (index, ms) => {
        told.push(`step aside ${index} for ${ms} ms`);
        return await Promise.resolve(() => void told.push("come back"));
      },
    },
  ).catch((error: unknown) => (told.push(`threw ${(error as Error).message}`), undefined));
  return { result, told };
}

const done = { type: "tsserve:profile-done", id: 1, path: "/tmp/a.cpuprofile", bytes: 10 } as unknown as Answer;
const failed = { type: "tsserve:profile-failed", id: 1, reason: "it is being profiled already" } as unknown as Answer;

describe("a profile", () => {
  test("of the busiest is told with whose it is, and why", async () => {
    const { result, told } = await ask([worker(0), worker(1, { utilization: 0.9 })], {}, done);
    expect(result).toEqual({
      ok: true,
      worker: 1,
      pid: 101,
      path: "/tmp/a.cpuprofile",
      bytes: 10,
      message: "worker 1 (pid 101, the busiest of 2)",
    });
    expect(told).toEqual(["ask cpu within 40000 ms"]);
  });

  test.each<[string, readonly Candidate[], Partial<ProfileOrder>, string]>([
    ["of a worker that there is none of", [worker(0), worker(2)], { worker: 1 }, "there is no worker 1; there are 0, 2"],
    ["where there is no worker", [], {}, "no worker runs"],
    ["where none has been started yet", [worker(0, { pid: undefined })], { worker: 0 }, "there is no worker 0; there are none"],
  ])("%s is none", async (_, candidates, question, error) => {
    const { result, told } = await ask(candidates, question, done);
    expect(result).toEqual({ ok: false, error });
    expect(told).toEqual([]);
  });

  test("of a worker that goes meanwhile is none", async () => {
    expect((await ask([worker(3)], { worker: 3 }, "no line")).result).toEqual({ ok: false, error: "worker 3 (pid 103): it has gone" });
  });

  test("that fails says whose it was", async () => {
    const { result } = await ask([worker(3, { isSilent: true }), worker(4)], {}, failed);
    expect(result).toEqual({ ok: false, error: "worker 3 (pid 103, stuck of 2): it is being profiled already" });
  });
});

describe("for a snapshot, a worker steps aside", () => {
  const candidates = [worker(0, { memoryBytes: 5 }), worker(1, { memoryBytes: 7 })];

  test.each<[string, Answer | Error, string | undefined]>([
    ["it succeeds", done, undefined],
    ["it fails", failed, undefined],
    ["the line breaks", new Error("gone"), "threw gone"],
  ])("and comes back, whether %s", async (_, answer, end) => {
    const { told } = await ask(candidates, { kind: "snapshot" }, answer);
    expect(told).toEqual(["step aside 1 for 960000 ms", "ask snapshot within 960000 ms", "come back", ...(end === undefined ? [] : [end])]);
  });
});
