import { readFileSync } from "node:fs";
import { freePort, until } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { scrape } from "./support/scrape.ts";
import { fixture, serve } from "./support/serve.ts";

/** How often the main thread of a process has gone to sleep. */
function sleeps(pid: number): number {
  return Number(/^voluntary_ctxt_switches:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/task/${pid}/status`, "utf8"))?.[1]);
}

/** Until the loop gives no beats any more: there were twenty each second. */
async function resting(pid: number): Promise<void> {
  let [since, before] = [performance.now(), sleeps(pid)];
  await until("a loop that rests", () => {
    if (performance.now() - since < 1000) return false;
    const [now, rate] = [performance.now(), ((sleeps(pid) - before) / (performance.now() - since)) * 1000];
    [since, before] = [now, sleeps(pid)];
    return rate < 10;
  });
}

describe("with monitoring.blocked_hub, a process that has nothing to do", () => {
  test.runIf(process.platform === "linux")(
    "is not woken for it; the first thing that it does is seen when it blocks, whatever it blocks by",
    async () => {
      const metrics = await freePort();
      const server = { "monitoring.blocked_hub": "100 milliseconds", "metrics.endpoint": `127.0.0.1:${metrics}` };
      await using served = serve({ app: "blocks.js", server });
      const url = await served.listening();
      const told = (): string[] =>
        served
          .logs()
          .filter(({ msg }) => msg.startsWith("monitoring.blocked_hub: the event loop is blocked for more than 100 ms"))
          .map(({ stack }) => String(stack));
      let before = 0;
      for (const way of ["block", "wait", "exec"]) {
        await resting(served.pid);
        expect((await fetch(`${url}/${way}?ms=1000`)).status).toBe(200);
        // What waits in native code is shown where it went on when that returned, which may be after the handler's end, or too late.
        const isShown = (stack: string): boolean => way !== "block" || stack.includes(fixture("blocks.js"));
        await until(`what is told of ${way}`, () => told().slice(before).some(isShown), { describe: () => told().join("\n\n") });
        before = told().length;
      }
      // Others may be counted beside them: a machine that stands still blocks a loop, too.
      await until("all of them", async () => {
        const found = await scrape(metrics);
        return found.sum("runtime_hub_blocked_seconds_count") >= 3 && found.sum("runtime_hub_blocked_seconds_sum") >= 2.9;
      });
    },
  );
});
