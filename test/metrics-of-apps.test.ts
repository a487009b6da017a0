import { cpSync, writeFileSync } from "node:fs";
import { freePort, makeTemporaryFolder, spawnTsserve, until } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { get } from "./support/fleet.ts";
import { measuredFleet } from "./support/measured.ts";
import { scrape } from "./support/scrape.ts";

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
