import { createServer } from "node:net";
import { gunzipSync } from "node:zlib";
import { freePort, openRaw, until } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { get } from "./support/fleet.ts";
import { countedFleet, serveMeasured } from "./support/measured.ts";
import { parseScrape, scrape } from "./support/scrape.ts";
import { serve } from "./support/serve.ts";
import { benchClient, framed, message, serveThrift } from "./support/thrift.ts";

describe("the exporter", () => {
  test("tells what the HTTP server did, by route", async () => {
    await using served = await serveMeasured({ app: "routes.js" });
    const ask = (path: string, init?: RequestInit): Promise<unknown> => fetch(served.url + path, init).then((response) => response.text());
    await ask("/items/1");
    await ask("/items/2");
    await ask("/nowhere");
    await ask("/elsewhere?a=1");
    await ask("/items", { method: "POST", body: "0123456789" });
    const chunks = new ReadableStream({
      start: (stream) => (stream.enqueue(Buffer.from("01234")), stream.enqueue(Buffer.from("567")), stream.close()),
    });
    await ask("/items", { method: "POST", body: chunks, duplex: "half" } as RequestInit);
    await ask("/fails");
    using slow = await openRaw(served.url);
    slow.send("GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n");
    const seen = await until("the slow one", async () => {
      const all = await scrape(served.metrics);
      return all.sum("http_server_active_requests", 'http_endpoint="/slow"') === 1 ? all : undefined;
    });
    const total = (...labels: string[]): number => seen.sum("http_server_requests_total", ...labels);
    expect(total('http_endpoint="/items/:id",http_method="get",http_response_code="200",http_success="true"')).toBe(2);
    expect(total('http_endpoint="404",http_method="get",http_response_code="404",http_success="false"')).toBe(2);
    expect(total('http_endpoint="/items",http_method="post",http_response_code="201",http_success="true"')).toBe(2);
    expect(total('http_endpoint="/fails",http_method="get",http_response_code="500",http_success="false"')).toBe(1);
    // Bodies of 10 and 8 bytes came, and {"id":"1"}, 10 bytes, went twice.
    expect(seen.sum("http_server_request_size_bytes_sum", 'http_endpoint="/items"')).toBe(18);
    expect(seen.sum("http_server_response_size_bytes_sum", 'http_endpoint="/items/:id"')).toBe(20);
    expect(
      seen.value('http_server_response_size_bytes_bucket{http_endpoint="/items/:id",http_method="get",http_success="true",le="8"}'),
    ).toBe(0);
    expect(
      seen.value('http_server_response_size_bytes_bucket{http_endpoint="/items/:id",http_method="get",http_success="true",le="16"}'),
    ).toBe(2);
    expect(
      seen.value('http_server_latency_seconds_bucket{http_endpoint="/items/:id",http_method="get",http_success="true",le="+Inf"}'),
    ).toBe(2);
    expect(seen.sum("runtime_active_requests")).toBeGreaterThanOrEqual(0);
    expect(seen.text).toMatch(/^runtime_heap_used_bytes\{hostname="[^"]+",pid="\d+"\} \d{6,}$/m);
    expect(seen.text).not.toContain("/nowhere");
  });

  test("speaks OpenMetrics and gzip when it is asked to, and answers nothing else", async () => {
    await using served = await serveMeasured();
    await fetch(served.url);
    const plain = await scrape(served.metrics);
    expect(plain.contentType).toBe("text/plain; version=0.0.4; charset=utf-8");
    const open = await scrape(served.metrics, { Accept: "application/openmetrics-text;version=1.0.0,text/plain;q=0.5" });
    expect(open.contentType).toBe("application/openmetrics-text; version=1.0.0; charset=utf-8");
    expect(open.text).toMatch(/^# TYPE http_server_requests counter$/m);
    expect(open.text).toMatch(/^http_server_requests_total\{.*\} 1$/m);
    expect(open.text.endsWith("# EOF\n")).toBe(true);
    using raw = await openRaw(`http://127.0.0.1:${served.metrics}`);
    raw.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n");
    const packed = Buffer.from(await raw.closed(), "latin1");
    expect(packed.toString("latin1")).toMatch(/Content-Encoding: gzip/);
    expect(gunzipSync(packed.subarray(packed.indexOf("\r\n\r\n") + 4)).toString()).toContain("http_server_requests_total");
    expect((await scrape(served.metrics, {}, "/other")).status).toBe(404);
    expect((await fetch(`http://127.0.0.1:${served.metrics}/metrics`, { method: "POST", body: "x" })).status).toBe(405);
    expect((await fetch(`http://127.0.0.1:${served.metrics}/metrics`, { method: "HEAD" })).headers.get("content-length")).toMatch(
      /^\d{4,}$/,
    );
  });

  test("a port that somebody else holds is told once, and taken when it is free; the service goes on", async () => {
    const holder = createServer().listen(0, "127.0.0.1");
    await until("the holder", () => holder.listening);
    const { port } = holder.address() as { port: number };
    await using served = serve({ server: { "metrics.endpoint": `127.0.0.1:${port}` } });
    const url = await served.listening();
    await served.log(/^metrics: cannot listen on 127\.0\.0\.1:\d+ \(EADDRINUSE\); it is tried again until it can$/);
    expect((await fetch(url)).status).toBe(200);
    holder.close();
    await served.log(/^metrics at /);
    expect((await scrape(port)).sum("http_server_requests_total")).toBe(1);
    expect(served.logs().filter(({ msg }) => msg.startsWith("metrics: cannot")).length).toBe(1);
  });

  test("can be turned off, in either section", async () => {
    const port = await freePort();
    await using served = serve({ config: { "metrics.enabled": "false", "metrics.endpoint": `127.0.0.1:${port}` } });
    const url = await served.listening();
    expect((await fetch(url)).status).toBe(200);
    served.kill();
    expect(await served.exited()).toMatchObject({ code: 0 });
    expect(served.logs().some(({ msg }) => msg.startsWith("metrics"))).toBe(false);
  });

  test("wrong settings are errors with their places", async () => {
    await using served = serve({ server: { "metrics.endpont": ":1" }, config: { "metrics.endpoint": "nowhere" } });
    expect(await served.exited()).toMatchObject({ code: 2 });
    expect(served.stderr()).toContain('metrics.endpont: unknown key, did you mean "metrics.endpoint"?');
    expect(served.stderr()).toMatch(/app\.ini:\d+: \[app:main\] metrics\.endpoint: expected an endpoint/);
    for (const [folder, problem] of [
      ["/nowhere/at/all", "expected an existing folder, there is none"],
      ["/etc/passwd", "expected a folder, it is none"],
    ] as const) {
      await using wrong = serve({ env: { PROMETHEUS_MULTIPROC_DIR: folder } });
      expect(await wrong.exited()).toMatchObject({ code: 2 });
      expect(wrong.stderr()).toContain(`PROMETHEUS_MULTIPROC_DIR: ${problem}, found "${folder}"`);
    }
  });

  test("tells what the Thrift server did, by method and outcome; names that clients make up share a value", async () => {
    const metrics = await freePort();
    await using served = serveThrift({ server: { access_log: "false", "metrics.endpoint": `127.0.0.1:${metrics}` } });
    const endpoint = await served.endpoint();
    await served.log(/^metrics at /);
    using client = benchClient(endpoint);
    for (let n = 0; n < 3; n++) await client.call("ping", []);
    await client.call("fail", [1]).catch(() => undefined);
    await client.call("fail", [2]).catch(() => undefined);
    using raw = await openRaw(`http://${endpoint}`);
    raw.send(framed(message("binary", "made_up_by_a_client")));
    await raw.receives(/made_up/);
    const seen = await scrape(metrics);
    const total = (...labels: string[]): number => seen.sum("thrift_server_requests_total", ...labels);
    const fine = 'thrift_baseplate_status="",thrift_baseplate_status_code="",thrift_exception_type=""';
    expect(total(`${fine},thrift_method="ping",thrift_success="true"`)).toBe(3);
    const declared = 'thrift_baseplate_status="NOT_FOUND",thrift_baseplate_status_code="404",thrift_exception_type="BenchError"';
    expect(total(`${declared},thrift_method="fail",thrift_success="false"`)).toBe(1);
    expect(total('thrift_method="fail"', 'thrift_success="false"')).toBe(2);
    expect(total('thrift_method="unknown"', 'thrift_success="false"')).toBe(1);
    expect(seen.text).not.toContain("made_up");
    expect(seen.value('thrift_server_latency_seconds_count{thrift_method="ping",thrift_success="true"}')).toBe(3);
    expect(seen.value('thrift_server_latency_seconds_count{thrift_method="fail",thrift_success="false"}')).toBe(2);
  });
});

test("many scrapers at once are answered together, and all of them whole", async () => {
  await using fleet = await countedFleet(2);
  for (let n = 0; n < 10; n++) await get(fleet);
  await until("all", async () => (await scrape(fleet.metrics)).sum("app_hits_total") === 10);
  const accepts = ["text/plain", "application/openmetrics-text", "application/openmetrics-text;version=0.0.1"];
  const seen = await Promise.all(Array.from({ length: 60 }, (_, n) => scrape(fleet.metrics, { Accept: accepts[n % 3] ?? "" })));
  expect(new Set(seen.map(({ contentType }) => contentType)).size).toBe(3);
  for (const each of seen) expect(each.sum("app_hits_total")).toBe(10);
  for (const each of seen) expect(each.text.endsWith("# EOF\n")).toBe(each.contentType.includes("openmetrics"));
});

test("what is printed can be read again", () => {
  expect(parseScrape(200, "", 'a{b="c"} 3\n# x\nd 1e3\n').value("d")).toBe(1000);
});
