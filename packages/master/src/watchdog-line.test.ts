import { duplexPair, PassThrough, type Duplex } from "node:stream";
import { describe, expect, test } from "vitest";
import { WatchdogLine } from "./watchdog-line.ts";

const question = { kind: "cpu", ms: 10, heapsFree: 3, by: "joe" } as const;

/** A line, and the other end of it. */
function makeLine(): { readonly line: WatchdogLine; readonly other: Duplex; readonly woken: () => number } {
  const [ours, other] = duplexPair();
  let woken = 0;
  return { line: new WatchdogLine(ours, () => (woken += 1)), other, woken: () => woken };
}

async function next(stream: Duplex): Promise<{ readonly id: number }> {
  const text = await new Promise<Buffer>((resolve) => stream.once("data", resolve));
  return JSON.parse(text.toString()) as { id: number };
}

describe("a line to a watchdog thread", () => {
  test("asks, wakes the thread, and takes its answer in whatever pieces it comes", async () => {
    const { line, other, woken } = makeLine();
    const asked = line.ask(question, 60_000);
    const { id, ...rest } = await next(other);
    expect(rest).toEqual({ type: "tsserve:profile", ...question });
    expect(woken()).toBe(1);
    const answer = { type: "tsserve:profile-taken", id, path: "/tmp/a", bytes: 7 };
    for (const piece of `nonsense\n{"type":"tsserve:stop","reason":"stop"}\n${JSON.stringify(answer)}\n`.match(/[^]{1,7}/g) ?? [])
      other.write(piece);
    expect(await asked).toEqual(answer);
  });

  test("gives each of several the answer that is its own", async () => {
    const { line, other } = makeLine();
    const first = line.ask(question, 60_000);
    const { id } = await next(other);
    const second = line.ask({ ...question, kind: "heap" }, 60_000);
    const later = await next(other);
    other.write(`${JSON.stringify({ type: "tsserve:profile-failed", id: later.id, reason: "busy" })}\n`);
    other.write(`${JSON.stringify({ type: "tsserve:profile-taken", id, path: "/tmp/b", bytes: 1 })}\n`);
    expect(await second).toMatchObject({ reason: "busy" });
    expect(await first).toMatchObject({ path: "/tmp/b" });
  });

  test("never leaves anybody waiting: the end of the worker, of the time, and no line at all are answers", async () => {
    const { line, other } = makeLine();
    const asked = line.ask(question, 60_000);
    other.end();
    expect(await asked).toMatchObject({ type: "tsserve:profile-failed", reason: "it ended while it was profiled" });
    expect(await line.ask(question, 60_000)).toMatchObject({ reason: "it has no line to its watchdog thread" });
    expect(await new WatchdogLine(new PassThrough(), () => undefined).ask(question, 1)).toMatchObject({
      reason: expect.stringMatching(/^it did not answer within/),
    });
    expect(await new WatchdogLine(undefined, () => undefined).ask(question, 1)).toMatchObject({
      reason: "it has no line to its watchdog thread",
    });
  });
});
