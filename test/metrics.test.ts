import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { gunzipSync } from "node:zlib";
import { bindDescriptor, freePort, makeTemporaryFolder, openRaw, spawnTsserve, until, workerEnvironment } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { get } from "./support/fleet.ts";
import { measuredFleet, type MeasuredFleet } from "./support/measured.ts";
import { countersOf, parseScrape, scrape, type Scrape } from "./support/scrape.ts";
import { fixture, serve, type Served, type ServeOptions } from "./support/serve.ts";
import { benchClient, framed, message, serveThrift } from "./support/thrift.ts";

/** Serves one of the fixtures with its metrics on a port of their own. */
async function serveMeasured({ server = {}, ...options }: ServeOptions = {}): Promise<Served & { readonly metrics: number; url: string }> {
  const metrics = await freePort();
  const served = serve({ ...options, server: { access_log: "false", "metrics.endpoint": `127.0.0.1:${metrics}`, ...server } });
  const url = await served.listening();
  await served.log(/^metrics at /);
  return { ...served, metrics, url };
}

/** Counts with a copy of prom-client that it imports itself. */
const measuredApp = `import { Counter, Gauge, Histogram, Summary, register } from "${new URL("../node_modules/prom-client/index.js", import.meta.url).pathname}";
const hits = new Counter({ name: "app_hits_total", help: "Hits.", labelNames: ["kind"] });
const took = new Histogram({ name: "app_took_seconds", help: "How long it took.", buckets: [0.1, 1] });
const gauge = (name, aggregator) => new Gauge({ name, help: "A gauge.", ...(aggregator && { aggregator }) });
const level = gauge("app_level");
const lowest = gauge("app_lowest", "min");
const highest = gauge("app_highest", "max");
const mean = gauge("app_mean", "average");
const unseen = gauge("app_unseen", "omit");
const size = new Summary({ name: "app_size", help: "A summary.", percentiles: [0.5] });
const index = Number(process.env.EINHORN_CHILD_INDEX ?? 0);
for (const each of [level, lowest, highest, mean, unseen]) each.set(index + 1);
export const makeApp = () => (request, response) => {
  hits.inc({ kind: 'a "quoted" \\\\ one' });
  took.observe(0.5);
  size.observe(4);
  if (request.url === "/reset") register.resetMetrics();
  if (request.url === "/die") process.kill(process.pid, "SIGKILL");
  response.end(JSON.stringify({ greeting: "one", pid: process.pid }));
};
`;

interface AppFleet extends MeasuredFleet {
  folderOfMetrics(): string;
}

async function appFleet(workers: number, server = ""): Promise<AppFleet> {
  const fleet = await measuredFleet({ workers, app: measuredApp, server });
  const folderOfMetrics = (): string => {
    const name = readdirSync(tmpdir()).find((each) => each.startsWith(`tsserve-metrics-${fleet.pid}-`));
    return `${tmpdir()}/${name ?? "none"}`;
  };
  return { ...fleet, folderOfMetrics };
}

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

describe("the metrics of several workers", () => {
  test("are one: counters add up, gauges are merged as prom-client is told to", async () => {
    await using fleet = await appFleet(3);
    const pids = new Set<number>();
    let asked = 0;
    while (pids.size < 3) {
      pids.add((await get(fleet)).pid);
      asked += 1;
    }
    const seen = await until("all to be seen", async () => {
      const all = await scrape(fleet.metrics);
      return all.sum("app_hits_total") === asked && all.sum("app_level") === 6 ? all : undefined;
    });
    expect(seen.value('app_hits_total{kind="a \\"quoted\\" \\\\ one"}')).toBe(asked);
    expect(seen.sum("http_server_requests_total")).toBe(asked);
    expect([seen.value('app_took_seconds_bucket{le="0.1"}'), seen.value('app_took_seconds_bucket{le="1"}')]).toEqual([0, asked]);
    expect([seen.value("app_took_seconds_sum"), seen.value("app_took_seconds_count")]).toEqual([asked / 2, asked]);
    expect([seen.value('app_size{quantile="0.5"}'), seen.value("app_size_sum"), seen.value("app_size_count")]).toEqual([
      4,
      asked * 4,
      asked,
    ]);
    expect(["app_level", "app_lowest", "app_highest", "app_mean", "app_unseen"].map((name) => seen.value(name))).toEqual([
      6,
      1,
      3,
      2,
      undefined,
    ]);
    expect(seen.text.match(/^runtime_heap_used_bytes\{/gm)).toHaveLength(3);
  });

  test("counters never decrease, for two scrapers at once: kill -9, upgrades, resets; files do not pile up", async () => {
    await using fleet = await appFleet(2, "drain_time = 100 milliseconds");
    const end = new AbortController();
    let scrapes = 0;
    let cut = 0;
    const watch = async (): Promise<void> => {
      let last = new Map<string, number>();
      while (!end.signal.aborted) {
        // Who is killed takes the scrapes along that it is answering.
        const seen = await scrape(fleet.metrics).catch(() => undefined);
        if (seen === undefined) {
          cut += 1;
          continue;
        }
        const now = countersOf(seen);
        for (const [series, value] of last) expect(now.get(series), series).toBeGreaterThanOrEqual(value);
        last = now;
        scrapes += 1;
      }
    };
    const watchers = Promise.all([watch(), watch()]);
    try {
      for (let round = 0; round < 6; round++) {
        for (let n = 0; n < 20; n++) await get(fleet);
        if (round === 3) await get(fleet, "/reset");
        if (round % 2 === 0) {
          const before = new Set((await fleet.settled(2)).workers.map(({ pid }) => pid));
          await fetch(`http://127.0.0.1:${fleet.port}/die`).catch(() => undefined);
          await until("a new worker", async () => (await fleet.settled(2)).workers.some(({ pid }) => !before.has(pid)));
        } else expect(await fleet.ctl("upgrade")).toMatchObject({ code: 0 });
        await fleet.settled(2);
      }
    } finally {
      end.abort();
    }
    await watchers;
    expect(scrapes).toBeGreaterThan(50);
    expect(cut).toBeLessThanOrEqual(2 * 3);
    // A killed worker may have taken along what it counted in its last second, nothing else.
    const seen = await until("the gauges of both, and of nobody else", async () => {
      const now = await scrape(fleet.metrics);
      return now.text.match(/^runtime_heap_used_bytes\{/gm)?.length === 2 && now.sum("app_level") > 0 ? now : undefined;
    });
    expect(seen.sum("app_hits_total")).toBeGreaterThan(60);
    // For each of four indexes and two processes its values and series, and what the master says.
    expect(readdirSync(fleet.folderOfMetrics()).filter((name) => /\.(?:values|series)$/.test(name)).length).toBeLessThanOrEqual(
      2 * (4 + 2),
    );
    expect(statSync(fleet.folderOfMetrics()).mode & 0o777).toBe(0o700);
    const folder = fleet.folderOfMetrics();
    fleet.kill("SIGTERM");
    await fleet.exited();
    expect(() => statSync(folder)).toThrow(/ENOENT/);
  });

  test("a worker that stands still delays no scrape, and its numbers stay", async () => {
    await using fleet = await appFleet(3);
    const { workers } = await fleet.settled(3);
    for (let n = 0; n < 30; n++) await get(fleet);
    await until("all to be written", async () => {
      const all = await scrape(fleet.metrics);
      return all.sum("app_hits_total") === 30 && all.sum("app_level") === 6;
    });
    const stopped = workers[0]?.pid ?? 0;
    process.kill(stopped, "SIGSTOP");
    try {
      for (let n = 0; n < 30; n++) {
        const seen = await scrape(fleet.metrics);
        expect([seen.sum("app_hits_total"), seen.sum("app_level")]).toEqual([30, 6]);
      }
    } finally {
      process.kill(stopped, "SIGCONT");
    }
  });

  test("a file that is broken, or not ours, is left out, counted, and told once", async () => {
    await using fleet = await appFleet(2);
    for (let n = 0; n < 20; n++) await get(fleet);
    await until("all", async () => (await scrape(fleet.metrics)).sum("app_hits_total") === 20);
    const folder = fleet.folderOfMetrics();
    writeFileSync(`${folder}/77.v2.values`, "this is no file of ours, and it is longer than a head of eight doubles would be");
    writeFileSync(`${folder}/77.v2.1.series`, "[]");
    writeFileSync(`${folder}/77.values`, "of another version");
    writeFileSync(`${folder}/notes.txt`, "hello");
    mkdirSync(`${folder}/78.v2.values`);
    writeFileSync(`${folder}/79.v2.values`, "");
    const seen = await scrape(fleet.metrics);
    expect(seen.sum("app_hits_total")).toBe(20);
    expect(seen.value('tsserve_exporter_left_out_files{reason="foreign"}')).toBe(1);
    expect(seen.value('tsserve_exporter_left_out_files{reason="version"}')).toBe(1);
    expect(seen.value('tsserve_exporter_left_out_files{reason="corrupt"}')).toBe(1);
    expect(seen.value('tsserve_exporter_left_out_files{reason="unreadable"}')).toBe(1);
    for (let n = 0; n < 10; n++) await scrape(fleet.metrics);
    const told = fleet.logs().filter(({ msg }) => msg.includes("77.v2.values is left out of the metrics"));
    expect(new Set(told.map(({ pid }) => pid)).size).toBe(told.length);
    // Even those of a living worker: it writes on, the others are exported.
    truncateSync(`${folder}/0.v2.1.series`, 10);
    truncateSync(`${folder}/1.v2.values`, 100);
    expect((await scrape(fleet.metrics)).status).toBe(200);
    expect((await get(fleet)).greeting).toBe("one");
  });
});

describe("prom-client, whichever copy an app has", () => {
  const modules = new URL("../node_modules/", import.meta.url).pathname;

  test("version 14 of the app's own and another copy beside it are exported, with two definitions of one name once", async () => {
    const folder = makeTemporaryFolder({ "package.json": "{}" });
    for (const [from, to] of [
      ["prom-client-14", "prom-client"],
      ["tdigest", "tdigest"],
      ["bintrees", "bintrees"],
    ])
      cpSync(`${modules}${from}`, `${folder.path}/node_modules/${to}`, { recursive: true });
    writeFileSync(
      `${folder.path}/app.js`,
      `const { Counter, Gauge, Histogram, register } = require("prom-client");
      register.setDefaultLabels({ app: "shop" });
      const hits = new Counter({ name: "hits_total", help: "Hits.", labelNames: ["a"] });
      const took = new Histogram({ name: "took_seconds", help: "Took.", buckets: [1] });
      new Gauge({ name: "level", help: "Level.", collect() { this.set(7); } });
      exports.makeApp = (config, context) => {
        const another = require("${modules}prom-client/index.js");
        if (another.register === register) throw new Error("it is the same copy");
        new another.Gauge({ name: "hits_total", help: "Hits, otherwise." }).set(3);
        const other = new another.Counter({ name: "other_total", help: "Other." });
        return (request, response) => {
          hits.inc({ a: "x" });
          took.observe(-2);
          other.inc();
          response.end();
        };
      };`,
    );
    const metrics = await freePort();
    writeFileSync(
      `${folder.path}/app.ini`,
      `[server:main]\nfactory = tsserve/http\nmetrics.endpoint = 127.0.0.1:${metrics}\n[app:main]\nfactory = ./app.js\n`,
    );
    await using served = spawnTsserve({ args: ["app.ini", "--bind", "127.0.0.1:0"], cwd: folder.path });
    const url = await served.listening();
    await served.log(/^metrics at /);
    await fetch(url);
    const { text, value } = await scrape(metrics);
    expect(value('took_seconds_sum{app="shop"}')).toBe(-2);
    expect(value('level{app="shop"}')).toBe(7);
    expect(value("other_total")).toBe(1);
    // Of two meanings of one name, one is exported.
    expect(text.match(/^# TYPE hits_total /gm)).toHaveLength(1);
    expect(value("tsserve_exporter_left_out_series")).toBe(1);
    folder.remove();
  });

  test("exemplars are exported to who speaks OpenMetrics, and merged", async () => {
    const app = `import prom from "${modules}prom-client/index.js";
      prom.register.setContentType(prom.Registry.OPENMETRICS_CONTENT_TYPE);
      const took = new prom.Histogram({ name: "took_seconds", help: "Took.", buckets: [1, 2], enableExemplars: true });
      const hits = new prom.Counter({ name: "hits_total", help: "Hits.", enableExemplars: true });
      export const makeApp = () => (request, response) => {
        const [, value, id] = request.url.split("/");
        took.observe({ value: Number(value), exemplarLabels: { trace_id: id } });
        hits.inc({ value: 1, exemplarLabels: { trace_id: id } });
        response.end(JSON.stringify({ pid: process.pid }));
      };`;
    await using fleet = await measuredFleet({ workers: 2, app });
    const pids = new Set<number>();
    for (let n = 0; pids.size < 2; n++) pids.add((await get(fleet, `/0.5/first${n}`)).pid);
    await get(fleet, "/1.5/later");
    const open = await until("the last ones", async () => {
      const seen = await scrape(fleet.metrics, { Accept: "APPLICATION/openmetrics-text" });
      return seen.text.includes("later") && seen.text.includes('le="1.0"') ? seen.text : undefined;
    });
    expect(open).toMatch(/^took_seconds_bucket\{le="1\.0"\} \d+ # \{trace_id="first\d+"\} 0\.5 \d+\.\d+$/m);
    expect(open).toMatch(/^took_seconds_bucket\{le="2\.0"\} \d+ # \{trace_id="later"\} 1\.5 \d+\.\d+$/m);
    expect(open).toMatch(/^hits_total \d+ # \{trace_id="later"\} 1 \d+\.\d+$/m);
    expect((await scrape(fleet.metrics)).text).not.toContain("trace_id");
    expect((await scrape(fleet.metrics, { Accept: "application/openmetrics-text;q=0.1, text/plain" })).text).not.toContain("# EOF");
  });
});

test("many scrapers at once are answered together, and all of them whole", async () => {
  await using fleet = await appFleet(2);
  for (let n = 0; n < 10; n++) await get(fleet);
  await until("all", async () => (await scrape(fleet.metrics)).sum("app_hits_total") === 10);
  const accepts = ["text/plain", "application/openmetrics-text", "application/openmetrics-text;version=0.0.1"];
  const seen = await Promise.all(Array.from({ length: 60 }, (_, n) => scrape(fleet.metrics, { Accept: accepts[n % 3] ?? "" })));
  expect(new Set(seen.map(({ contentType }) => contentType)).size).toBe(3);
  for (const each of seen) expect(each.sum("app_hits_total")).toBe(10);
  for (const each of seen) expect(each.text.endsWith("# EOF\n")).toBe(each.contentType.includes("openmetrics"));
});

describe("a metrics folder in other people's hands", () => {
  test("one that somebody removes is made anew, and what the living have counted is there again", async () => {
    await using fleet = await appFleet(2);
    for (let n = 0; n < 20; n++) await get(fleet);
    await until("all", async () => (await scrape(fleet.metrics)).sum("app_hits_total") === 20);
    rmSync(fleet.folderOfMetrics(), { recursive: true });
    const seen = await until("all again", async () => {
      const all = await scrape(fleet.metrics);
      return all.sum("app_hits_total") === 20 && all.sum("app_level") === 3 ? all : undefined;
    });
    expect(seen.sum("http_server_requests_total")).toBe(20);
    expect(await fleet.ctl("upgrade")).toMatchObject({ code: 0 });
    await get(fleet);
    await until("the successors' as well", async () => (await scrape(fleet.metrics)).sum("app_hits_total") === 21);
  });

  const isRoot = process.getuid?.() === 0;
  test.runIf(isRoot)(
    "with a disk that is full, no exported sum goes down, whoever dies; with room again, all is there",
    async (context) => {
      const parent = makeTemporaryFolder({});
      if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", parent.path]).status !== 0)
        context.skip("nothing can be mounted here");
      try {
        await using fleet = await measuredFleet({
          workers: 2,
          // Each request has a series of its own: the files have to grow.
          app: measuredApp.replace("hits.inc({ kind: 'a \"quoted\" \\\\ one' })", "hits.inc({ kind: request.url })"),
          env: { PROMETHEUS_MULTIPROC_DIR: parent.path },
        });
        let asked = 0;
        const ask = async (count: number): Promise<void> => {
          for (let n = 0; n < count; n++) await get(fleet, `/${asked++}`);
        };
        let last = new Map<string, number>();
        const look = async (): Promise<Scrape> => {
          const seen = await scrape(fleet.metrics);
          const now = countersOf(seen);
          for (const [series, value] of last) expect(now.get(series), series).toBeGreaterThanOrEqual(value);
          last = now;
          return seen;
        };
        await ask(20);
        await until("what was counted before", async () => (await look()).sum("app_hits_total") === 20);
        spawnSync("sh", ["-c", "cat /dev/zero > filler"], { cwd: parent.path });
        for (let round = 0; round < 4; round++) {
          await ask(60);
          for (let n = 0; n < 6; n++) await look();
          const before = new Set((await fleet.status()).workers.map(({ pid }) => pid));
          if (round === 1) await fetch(`http://127.0.0.1:${fleet.port}/die`).catch(() => undefined);
          if (round === 1) await until("a successor", async () => (await fleet.settled(2)).workers.some(({ pid }) => !before.has(pid)));
        }
        await fleet.log(/^metrics can't be written/);
        rmSync(`${parent.path}/filler`);
        // But for what the one that died could not write.
        await until("what could not be written", async () => (await look()).sum("app_hits_total") > 140);
      } finally {
        spawnSync("umount", ["-l", parent.path]);
        parent.remove();
      }
    },
  );
});

describe("workers of another master", () => {
  test("share the port: when the one that has it is killed, another one takes it over, and nothing is forgotten", async () => {
    const port = await freePort();
    using bound = bindDescriptor();
    const folder = makeTemporaryFolder({
      "package.json": '{"type":"module"}',
      "app.js": measuredApp,
      "app.ini": `[server:main]\nfactory = tsserve/http\naccess_log = false\n[app:main]\nfactory = ./app.js\nmetrics.endpoint = 127.0.0.1:${port}\n`,
    });
    const start = (index: number) =>
      spawnTsserve({
        args: ["app.ini"],
        cwd: folder.path,
        descriptors: [bound.fd],
        env: workerEnvironment({ EINHORN_CHILD_INDEX: String(index) }),
      });
    await using first = start(0);
    await first.log(/^metrics at /);
    await using second = start(1);
    await second.listening();
    for (let n = 0; n < 10; n++) await fetch(`http://127.0.0.1:${bound.port}`, { headers: { Connection: "close" } });
    await until("all of both", async () => (await scrape(port)).sum("app_hits_total") === 10);
    first.kill("SIGKILL");
    await second.log(/^metrics at /);
    const seen = await scrape(port);
    expect(seen.sum("app_hits_total")).toBe(10);
    expect(seen.sum("app_level")).toBe(2);
    folder.remove();
  });

  test("the second inherited socket is the exporter's when metrics.listener says so", async () => {
    using first = bindDescriptor();
    using second = bindDescriptor();
    const parent = makeTemporaryFolder({});
    const env = workerEnvironment({ EINHORN_FD_COUNT: "2", EINHORN_FD_1: "4", PROMETHEUS_MULTIPROC_DIR: parent.path });
    await using served = serve({ descriptors: [first.fd, second.fd], env, bind: [], server: { "metrics.listener": "1" } });
    await served.listening();
    expect((await fetch(`http://127.0.0.1:${first.port}`)).status).toBe(200);
    const seen = await until("the exporter", () => scrape(second.port).catch(() => undefined));
    expect(seen.sum("http_server_requests_total")).toBe(1);
    expect(readdirSync(parent.path)).toHaveLength(1);
    parent.remove();
    await using wrong = serve({ descriptors: [first.fd], env: workerEnvironment(), bind: [], server: { "metrics.listener": "1" } });
    expect(await wrong.exited()).toMatchObject({ code: 2 });
    expect(wrong.stderr()).toContain(
      "metrics.listener: expected the number of one of several inherited sockets, counted from 0; there are 1",
    );
  });
});

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

test("what is printed can be read again", () => {
  expect(parseScrape(200, "", 'a{b="c"} 3\n# x\nd 1e3\n').value("d")).toBe(1000);
});
