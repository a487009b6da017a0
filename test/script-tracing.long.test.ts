import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { freePort, makeTemporaryFolder, spawnTsserve, until, type SpawnOptions, type TsserveProcess } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { collect, type CollectedSpan } from "./support/collector.ts";
import { receive, type Answer } from "./support/receiver.ts";
import { fakeSentry } from "./support/sentry.ts";
import { fixture } from "./support/serve.ts";
import { serveThrift } from "./support/thrift.ts";

const here = JSON.stringify(import.meta.filename);
const jobs = `
import { createRequire } from "node:module";
const require = createRequire(${here});
const { trace } = require("@opentelemetry/api");
const own = (name, work) => trace.getTracer("jobs").startActiveSpan(name, async (span) => { try { return await work(); } finally { span.end(); } });
const aborted = (signal) => new Promise((resolve) => { const hold = setInterval(() => {}, 1000); signal.addEventListener("abort", () => { clearInterval(hold); resolve(); }, { once: true }); });
export const works = (config, args, context) => own("clean", async () => { context.log.info("cleaning"); await fetch(config.next); });
export const calls = async (config) => {
  const { loadService, makeClient } = require("tsserve/thrift");
  const client = makeClient(loadService(config.idl, "Bench"), { endpoint: config.next });
  try { await own("call", () => client.call("add_later", [1, 2, 0])); } finally { client.close(); }
};
export const plain = async (config) => { await fetch(config.next); };
export const seven = () => own("clean", () => 7);
export const fails = (config) => own("clean", () => { throw new TypeError("no rows for " + config.password); });
export const later = () => { setTimeout(() => { throw new Error("nobody caught this"); }); return new Promise(() => {}); };
export const exits = (config, args, context) => { context.onStop(() => {}); process.exit(Number(args[0])); };
export const told = async (config, args, context) => { context.onStop(() => own("hook", () => {})); console.error("running"); await aborted(context.signal); };
`;

interface Next extends AsyncDisposable {
  readonly url: string;
  readonly traceparents: (string | undefined)[];
}

/** Whom a job asks: keeps what it is told of the trace. */
async function next(): Promise<Next> {
  const traceparents: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    traceparents.push(request.headers["traceparent"] as string | undefined);
    response.end("end");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    traceparents,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** Starts `tsserve script app.ini ./jobs.js:NAME`. */
function start(command: readonly string[], server: string, app = "", options: Partial<SpawnOptions> = {}): TsserveProcess {
  const folder = makeTemporaryFolder({
    "app.ini": `[server:main]\nfactory = tsserve/http\n${server}\n[app:main]\nfactory = ./app.js\npassword = hunter2hunter2\n${app}\n`,
    "jobs.mjs": jobs,
  });
  const spawned = spawnTsserve({ args: ["script", "app.ini", ...command], cwd: folder.path, ...options });
  return {
    ...spawned,
    [Symbol.asyncDispose]: async () => {
      await spawned[Symbol.asyncDispose]();
      folder.remove();
    },
  };
}

const traceId = "0af7651916cd43dd8448eb211c80319c";
const parentId = "b7ad6b7169203331";
const environment = (flags: string): Partial<SpawnOptions> => ({ env: { TRACEPARENT: `00-${traceId}-${parentId}-${flags}` } });
const byName = (spans: readonly CollectedSpan[], name: string): CollectedSpan | undefined => spans.find((span) => span.name === name);
const always = "tracing.sample = 100%";

describe("a script's trace", () => {
  test("goes from who started it through the job and its own span to whom it asks", async () => {
    await using collector = await collect();
    await using asked = await next();
    const server = `tracing.endpoint = ${collector.url}`;
    await using job = start(["--job", "nightly", "./jobs.mjs:works"], server, `next = ${asked.url}`, environment("01"));
    expect(await job.exited()).toEqual({ code: 0, signal: null });
    const { spans } = collector;
    const [root, own] = [byName(spans, "nightly"), byName(spans, "clean")];
    expect(spans).toHaveLength(2);
    expect(root).toMatchObject({ traceId, parentId, kind: 1, status: 0, service: "main" });
    expect(root?.attributes).toEqual({ "process.exit.code": 0, "tsserve.outcome": "succeeded" });
    expect(own).toMatchObject({ traceId, parentId: root?.spanId });
    expect(asked.traceparents).toEqual([`00-${traceId}-${own?.spanId}-01`]);
    expect(job.logs().find(({ msg }) => msg === "cleaning")).toMatchObject({ trace_id: traceId, span_id: root?.spanId });
  });

  test.each(["01", "00"])("goes on through our Thrift client to a server that is traced, too (flags %s)", async (flags) => {
    await using collector = await collect();
    const endpoint = `tracing.endpoint = ${collector.url}`;
    await using asked = serveThrift({ server: { "tracing.endpoint": collector.url, "tracing.sample": "0%" } });
    const app = `next = ${await asked.endpoint()}\nidl = ${fixture("../thrift/bench.thrift")}`;
    await using job = start(["--job", "nightly", "./jobs.mjs:calls"], endpoint, app, environment(flags));
    expect(await job.exited(), job.stderr()).toEqual({ code: 0, signal: null });
    asked.kill();
    expect(await asked.exited()).toEqual({ code: 0, signal: null });
    const [root, own, served] = ["nightly", "call", "add_later"].map((name) => byName(collector.spans, name));
    if (flags === "00") expect(collector.spans).toEqual([]);
    else {
      expect(root).toMatchObject({ traceId, parentId, kind: 1 });
      expect(own).toMatchObject({ traceId, parentId: root?.spanId });
      expect(served).toMatchObject({ traceId, parentId: own?.spanId, kind: 2 });
    }
    const line = asked.logs().find((each) => each["method"] === "add_later");
    expect(line).toMatchObject({ trace_id: traceId });
  });

  test("is recorded as who started it decided, else by lot, and passed on as such", async () => {
    await using collector = await collect();
    await using asked = await next();
    const server = (sample: string): string => `tracing.endpoint = ${collector.url}\ntracing.sample = ${sample}`;
    for (const [sample, options] of [
      ["100%", environment("00")],
      ["0%", {}],
    ] as const) {
      await using job = start(["./jobs.mjs:plain"], server(sample), `next = ${asked.url}`, options);
      expect((await job.exited()).code).toBe(0);
    }
    expect(collector.requests).toEqual([]);
    await using job = start(["./jobs.mjs:plain"], server("100%"), `next = ${asked.url}`);
    expect((await job.exited()).code).toBe(0);
    expect(collector.spans.map(({ name, parentId: parent }) => [name, parent])).toEqual([["./jobs.mjs:plain", ""]]);
    const [decided, byLot, recorded] = asked.traceparents;
    expect(decided).toMatch(new RegExp(`^00-${traceId}-(?!${parentId})[0-9a-f]{16}-00$`));
    expect(byLot).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
    expect(recorded).toBe(`00-${collector.spans[0]?.traceId}-${collector.spans[0]?.spanId}-01`);
  });

  test.each([
    ["seven", 7, "7", "failed"],
    ["fails", 1, "TypeError", "failed"],
    ["later", 1, "Error", "failed"],
  ])("says that %s failed, and leaves its exit code", async (name, code, type, outcome) => {
    await using collector = await collect();
    await using job = start([`./jobs.mjs:${name}`], `tracing.endpoint = ${collector.url}\n${always}`);
    expect((await job.exited()).code).toBe(code);
    const span = byName(collector.spans, `./jobs.mjs:${name}`);
    expect(span).toMatchObject({ status: 2, attributes: { "process.exit.code": code, "error.type": type, "tsserve.outcome": outcome } });
    expect(span?.message ?? "").not.toContain("hunter2");
    if (name === "fails") expect(span?.message).toBe("no rows for ****");
  });

  test.each(["SIGTERM", "SIGINT"] as const)("says that it was stopped by %s, and has what its hooks did", async (signal) => {
    await using collector = await collect();
    await using job = start(["./jobs.mjs:told"], `tracing.endpoint = ${collector.url}\n${always}`);
    await until("the job", () => (job.stderr().includes("running") ? true : undefined));
    job.kill(signal);
    const code = signal === "SIGTERM" ? 143 : 130;
    expect((await job.exited()).code).toBe(code);
    expect(byName(collector.spans, "./jobs.mjs:told")).toMatchObject({
      status: 2,
      attributes: { "process.exit.code": code, "error.type": signal, "tsserve.outcome": "stopped" },
    });
    expect(byName(collector.spans, "hook")).toBeDefined();
  });

  test("is not sent where the job ends the process itself, which is said", async () => {
    await using collector = await collect();
    await using job = start(["./jobs.mjs:exits", "4"], `tracing.endpoint = ${collector.url}\n${always}`);
    expect((await job.exited()).code).toBe(4);
    expect(
      job
        .logs()
        .filter(({ level }) => level === "warn")
        .map(({ msg }) => msg),
    ).toEqual([
      "the script ended the process itself, so that its onStop hooks did not run, its span was not sent: let it return the exit code instead",
    ]);
  });

  test("is asked for by a variable, too, and no file need say so", async () => {
    await using collector = await collect();
    const env = { ...environment("01").env, OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_SERVICE_NAME: "jobs" };
    await using job = start(["./jobs.mjs:seven"], "", "", { env });
    expect((await job.exited()).code).toBe(7);
    expect(byName(collector.spans, "./jobs.mjs:seven")).toMatchObject({ service: "jobs", traceId });
  });
});

describe("who is told, and does not take it", () => {
  test.each(["refuses", "silent", "nonsense", "drips", "away"] as const)("%s: the exit code is the job's", async (how) => {
    const answer: Answer = how === "away" ? "takes" : how;
    await using collector = await collect(answer);
    await using sentry = await fakeSentry(answer);
    await using gateway = await receive({ answer, refusal: 400, taken: () => undefined });
    const nowhere = how === "away" ? await freePort() : undefined;
    const at = (url: string): string => (nowhere === undefined ? url : url.replace(/:\d+(?=\/|$)/, `:${nowhere}`));
    const keys = [
      `tracing.endpoint = ${at(collector.url)}`,
      `sentry.dsn = ${at(sentry.dsn)}`,
      `metrics.push_gateway = ${at(`http://127.0.0.1:${gateway.port}`)}`,
      always,
    ].join("\n");
    await using good = start(["./jobs.mjs:told"], keys);
    await using bad = start(["./jobs.mjs:fails"], keys);
    await until("the job", () => (good.stderr().includes("running") ? true : undefined));
    good.kill("SIGTERM");
    // Those that never answer hold their connections until the processes are gone.
    expect([await good.exited(), await bad.exited()]).toEqual([
      { code: 143, signal: null },
      { code: 1, signal: null },
    ]);
    if (how === "silent" || how === "drips")
      expect([collector.requests.length, sentry.received.length, gateway.requests.length]).toEqual([2, 1, 2]);
  });
});
