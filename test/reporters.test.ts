import { readdirSync, readFileSync } from "node:fs";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { makeTemporaryFolder, until } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { serveMeasured } from "./support/measured.ts";
import { scrape, type Scrape } from "./support/scrape.ts";
import { fixture } from "./support/serve.ts";

describe("reporters", () => {
  test("each block of the event loop is observed once, and its stack is in the log", async () => {
    const server = { "monitoring.blocked_hub": "100 milliseconds" };
    await using served = await serveMeasured({ app: "blocks.js", server, args: ["--debug"] });
    await served.log(/^the watchdog thread listens/);
    // Long enough for the watchdog's thread to be given a core meanwhile.
    for (let n = 0; n < 3; n++) {
      await fetch(`${served.url}/block?ms=1000`);
      await fetch(`${served.url}/block?ms=10`);
    }
    const count = async (): Promise<Scrape> => await scrape(served.metrics);
    const seen = await until("all", async () =>
      (await count()).sum("runtime_hub_blocked_seconds_count") >= 3 ? await count() : undefined,
    );
    expect(seen.sum("runtime_hub_blocked_seconds_sum")).toBeGreaterThan(2.7);
    // A machine that is short of cores may block the loop, too: those stacks are others.
    const found = (): Readonly<Record<string, unknown>>[] =>
      served
        .logs()
        .filter(({ msg }) => msg === "monitoring.blocked_hub: the event loop is blocked for more than 100 ms; this is where")
        .filter(({ stack }) => String(stack).includes(`standStill (${fixture("blocks.js")}`));
    const stacks = await until("their stacks", () => (found().length >= 3 ? found() : undefined));
    expect(stacks).toHaveLength(3);
    expect(stacks[0]?.["requests"]).toMatchObject([{ method: "GET", route: "/block" }]);
  });

  test("pools and the durations of garbage collections, where they are asked for", async () => {
    const server = { "monitoring.connection_pool": "true", "monitoring.gc.timing": "true", "monitoring.gc.stats": "false" };
    await using served = await serveMeasured({ app: "blocks.js", server });
    await fetch(`${served.url}/garbage`);
    const seen = await until("a collection", async () => {
      const all = await scrape(served.metrics);
      return all.sum("runtime_gc_elapsed_seconds_count") > 0 ? all : undefined;
    });
    expect(seen.sum("runtime_pool_size", 'client="database"')).toBe(8);
    expect(["idle", "in_use", "waiting"].map((name) => seen.sum(`runtime_pool_${name}`, 'client="database"'))).toEqual([5, 3, 1]);
    expect(seen.text).not.toContain("runtime_heap_used_bytes");
    // A pool whose figures throw is told, and keeps nothing else from being reported.
    expect(seen.text).toMatch(/^runtime_event_loop_utilization\{.*\} [\d.]+$/m);
    expect(served.logs().filter(({ msg }) => msg.includes('the pool "'))).toHaveLength(1);
  });
});

test("what keeps growing is named and drawn; a snapshot is written when it is asked for", async () => {
  const folder = makeTemporaryFolder({ snapshot: "" });
  await using served = await serveMeasured({ app: "leaks.js", server: { "monitoring.gc.refcycle": folder.path } });
  for (let n = 0; n < 20; n++) await fetch(served.url);
  await served.log(/^a heap snapshot is written: /);
  const line = await until("the growth", () => served.logs().find(({ msg }) => msg.includes("leak (")), { timeoutMs: 30_000 });
  expect(line["growing"]).toEqual(expect.arrayContaining([expect.stringMatching(/^leak \(.*leaks\.js:\d+\) \+\d+ kB$/)]));
  expect((line["growing"] as string[]).length).toBeLessThanOrEqual(5);
  const picture = readFileSync(line["picture"] as string, "utf8");
  expect(picture).toMatch(/^<svg [^]*leak \([^]*<\/svg>\n$/);
  const names = readdirSync(folder.path);
  expect(names.filter((name) => name.endsWith(".heapsnapshot"))).toHaveLength(1);
  expect(names).not.toContain("snapshot");
  folder.remove();
});

describe("StatsD", () => {
  test("the figures of the runtime are sent, tagged with host and process", async () => {
    const listener = createSocket("udp4");
    const lines: string[] = [];
    listener.on("message", (bytes) => lines.push(...bytes.toString().split("\n")));
    listener.bind(0, "127.0.0.1");
    await once(listener, "listening");
    const server = {
      "metrics.statsd": `127.0.0.1:${listener.address().port}`,
      "metrics.namespace": "my.svc",
      "monitoring.connection_pool": "true",
      "monitoring.blocked_hub": "50 milliseconds",
    };
    await using served = await serveMeasured({ app: "blocks.js", server });
    await fetch(`${served.url}/block?ms=120`);
    const tags = `,hostname=[^,]+,PID=${served.pid}`;
    const expected = [
      `my\\.svc\\.runtime\\.open_connections${tags}:\\d+\\|g`,
      `my\\.svc\\.runtime\\.active_requests${tags}:0\\|g`,
      `my\\.svc\\.runtime\\.pool\\.in_use${tags},client=database:3\\|g`,
      `my\\.svc\\.runtime\\.heap\\.used_bytes${tags}:\\d+\\|g`,
      `my\\.svc\\.runtime\\.hub_blocked${tags}:\\d+(?:\\.\\d+)?\\|ms`,
    ];
    for (const line of expected)
      await until(line, () => lines.some((each) => new RegExp(`^${line}$`).test(each)), { describe: () => lines.join("\n") });
    listener.close();
  });

  test("a host that is not there costs nothing", async () => {
    await using served = await serveMeasured({ server: { "metrics.statsd": "no-such-host.invalid:8125" } });
    expect((await fetch(served.url)).status).toBe(200);
    served.kill();
    expect(await served.exited()).toMatchObject({ code: 0 });
    expect(served.stderr()).toBe("");
    expect(served.logs().filter(({ level }) => level === "warn" || level === "error")).toEqual([]);
  });
});
