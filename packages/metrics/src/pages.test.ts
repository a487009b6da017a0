import type { IncomingMessage } from "node:http";
import { latencyBuckets, Meter, type PageAccess } from "@tsserve/server";
import { describe, expect, test } from "vitest";
import { Definitions } from "./definitions.ts";
import { identity } from "./folder.ts";
import { Keeper } from "./keeper.ts";
import { pagesOf } from "./pages.ts";
import { View } from "./view.ts";

const log = { debug: () => undefined, info: () => undefined, warn: () => undefined };
const meter = new Meter();
const count = (code: string, endpoint: string, times: number): void => {
  const labels = { http_method: "get", http_endpoint: endpoint, http_response_code: code, http_success: String(code < "400") };
  meter.counter({ name: "http_server_requests_total", help: "", type: "counter" }, labels).add(times);
  const latency = { name: "http_server_latency_seconds", help: "", type: "histogram", buckets: latencyBuckets } as const;
  for (let n = 0; n < times; n++)
    meter.histogram(latency, { http_method: "get", http_endpoint: endpoint, http_success: "true" }).observe(0.02);
};
count("200", "/items/:id", 5);
count("503", "/items/:id", 2);
count("404", "404", 1);
meter.gauge({ name: "http_server_active_requests", help: "", type: "gauge" }, { http_method: "get", http_endpoint: "/items/:id" }).set(3);
meter.gauge({ name: "runtime_heap_used_bytes", help: "", type: "gauge" }, { pid: "7" }).set(100);
meter.gauge({ name: "runtime_event_loop_delay_seconds", help: "", type: "summary" }, { pid: "7", quantile: "0.99" }).set(0.5);
for (const [name, value] of Object.entries({ size: 8, in_use: 3 }))
  meter.gauge({ name: `runtime_pool_${name}`, help: "", type: "gauge" }, { pid: "7", client: "database" }).set(value);
const ofQueue = { queue_system: "rabbitmq", queue_name: "orders", queue_consumer: "orders" };
meter.counter({ name: "queue_consumer_messages_total", help: "", type: "counter" }, { ...ofQueue, queue_outcome: "ack" }).add(4);
meter.counter({ name: "queue_consumer_messages_total", help: "", type: "counter" }, { ...ofQueue, queue_outcome: "dead" }).add(1);
meter.gauge({ name: "queue_consumer_active_messages", help: "", type: "gauge" }, ofQueue).set(2);
meter.gauge({ name: "queue_consumer_connected", help: "", type: "gauge" }, ofQueue).set(1);
const lag = meter.histogram({ name: "queue_consumer_lag_seconds", help: "", type: "histogram", buckets: [1, 10] }, ofQueue);
for (const seconds of [0.5, 2, 100]) lag.observe(seconds);

function pages(
  access: PageAccess,
): (path: string, headers?: Record<string, string>) => Promise<{ status: number; body: string; contentType: string; headers?: object }> {
  const definitions = new Definitions();
  const owner = identity(process.pid);
  const options = {
    meter,
    owner,
    workerIndex: 0,
    folder: undefined,
    remakeFolder: () => {
      throw new Error("there is no place");
    },
    definitions,
    registries: () => [],
    sample: () => undefined,
    log,
  };
  const keeper = new Keeper(options);
  keeper.start();
  const view = new View({ keeper, definitions, pid: owner.pid, log });
  const health = { answer: (probe: string) => Promise.resolve(probe === "readiness" ? ("shutting_down" as const) : ("ok" as const)) };
  const all = pagesOf({ view, access, health, fleet: () => ({ hostname: "host" }), history: (since) => Promise.resolve({ since }) });
  return async (url, headers = { host: "localhost" }) => {
    const rawHeaders = Object.entries(headers).flat();
    const request = { url, headers, rawHeaders, socket: { remoteAddress: "127.0.0.1" } } as unknown as IncomingMessage;
    const page = all.get(url.split("?")[0] ?? "");
    if (page === undefined) return { status: 404, body: "", contentType: "" };
    const answer = await page(request);
    return { ...answer, body: answer.body.toString() };
  };
}

describe("what the exporter serves", () => {
  test("the metrics, in the form that is wanted", async () => {
    const ask = pages("auto");
    expect(await ask("/metrics", { host: "elsewhere.example" })).toMatchObject({
      status: 200,
      contentType: "text/plain; version=0.0.4; charset=utf-8",
    });
    const open = await ask("/metrics", { host: "x", accept: "application/openmetrics-text;version=0.0.1" });
    expect(open.contentType).toBe("application/openmetrics-text; version=0.0.1; charset=utf-8");
    expect(open.body).toContain('runtime_event_loop_delay_seconds{pid="7",quantile="0.99"} 0.5');
    expect(open.body.endsWith("# EOF\n")).toBe(true);
  });

  test("probes, for everybody", async () => {
    const ask = pages("nobody");
    expect(await ask("/health", {})).toMatchObject({ status: 503, body: '{"status":"shutting_down"}' });
    expect(await ask("/health?type=liveness", {})).toMatchObject({ status: 200, body: '{"status":"ok"}' });
    expect(await ask("/health?type=2", {})).toMatchObject({ status: 200 });
    expect(await ask("/health?type=oops", {})).toMatchObject({ status: 503 });
  });

  test("the page, to whom it is for", async () => {
    for (const path of ["/", "/metrics.json", "/history.json"]) {
      expect((await pages("auto")(path)).status, path).toBe(200);
      expect((await pages("auto")(path, { host: "rebind.example" })).status, path).toBe(403);
      expect((await pages("everybody")(path, { host: "rebind.example" })).status, path).toBe(200);
      expect((await pages("nobody")(path)).status, path).toBe(404);
    }
    const { body, headers } = await pages("auto")("/");
    // One document: nothing of it is elsewhere, and all of it is what the policy allows.
    expect(body).not.toMatch(/<script src|<link rel="stylesheet|^import |^export /m);
    expect(headers).toMatchObject({
      "Content-Security-Policy": expect.stringMatching(/^default-src 'none'; style-src 'sha256-/) as string,
    });
    expect(JSON.parse((await pages("auto")("/history.json?since=5")).body)).toEqual({ since: 5 });
  });

  test("what the page is fed with: endpoints with their failures and latencies, processes, pools, messages", async () => {
    const overview = JSON.parse((await pages("auto")("/metrics.json")).body) as Record<string, unknown>;
    expect(overview).toMatchObject({
      hostname: "host",
      requests: 8,
      failed: 2,
      active: 3,
      messages: 5,
      messages_failed: 1,
      endpoints: [
        { name: "GET /items/:id", requests: 7, failed: 2, active: 3 },
        { name: "GET (no route)", requests: 1, failed: 0 },
      ],
      queues: [
        {
          name: "orders",
          queue: "orders",
          active: 2,
          buffered: 0,
          connected: 1,
          messages: 5,
          retries: 0,
          dead: 1,
          reconnects: 0,
          lag_count: 3,
          lag_sum: 102.5,
        },
      ],
      processes: [{ pid: 7, heap_used: 100, event_loop_delay: 0.5 }],
      pools: [{ pid: 7, client: "database", size: 8, in_use: 3 }],
    });
    const { counts } = overview["latency"] as { counts: number[] };
    expect(counts.reduce((sum, each) => sum + each, 0)).toBe(8);
  });
});
