import { fileURLToPath } from "node:url";
import { makeTemporaryFolder, spawnTsserve, until } from "@tsserve/testing";
import { expect, test } from "vitest";
import { collect } from "./support/collector.ts";
import { apps, bench, benchClient } from "./support/thrift.ts";

const fixtures = fileURLToPath(new URL("fixtures/apps/", import.meta.url));
const traceId = "0af7651916cd43dd8448eb211c80319c";

test.each(apps)("a Thrift request is a span of its caller's trace, with its outcome; a probe is none: %s", async (app) => {
  await using collector = await collect();
  const folder = makeTemporaryFolder({
    "app.ini": `[server:main]\nfactory = tsserve/thrift\naccess_log = false\nmetrics.enabled = false\ntracing.endpoint = ${collector.url}\n[app:main]\nfactory = ${fixtures}${app}\n`,
  });
  try {
    await using server = spawnTsserve({ args: ["app.ini", "--bind", "127.0.0.1:0"], cwd: folder.path });
    using client = benchClient((await server.listening()).replace("thrift://", ""), { userAgent: "a-caller" });
    const headers = { traceparent: `00-${traceId}-b7ad6b7169203331-01` };
    await client.call("is_healthy", [], { headers });
    await client.call("add_later", [1, 2, 0], { headers });
    await expect(client.call("fail", [1], { headers })).rejects.toBeInstanceOf(bench.exceptions["BenchError"]);
    await client.call("add_later", [1, 2, 0], { headers: { traceparent: `00-${traceId.replace("0af", "1af")}-b7ad6b7169203331-00` } });
    server.kill("SIGTERM");
    expect(await server.exited()).toMatchObject({ code: 0 });
    await until("the spans", () => collector.spans.length >= 2);
    expect(collector.spans).toHaveLength(2);
    const ours = { traceId, parentId: "b7ad6b7169203331", kind: 2 };
    expect(collector.spans.find(({ name }) => name === "add_later")).toMatchObject({
      ...ours,
      status: 0,
      attributes: { "rpc.system": "thrift", "rpc.method": "add_later", "client.address": "127.0.0.1", "user_agent.original": "a-caller" },
    });
    expect(collector.spans.find(({ name }) => name === "fail")).toMatchObject({
      ...ours,
      status: 2,
      attributes: { "error.type": "BenchError" },
    });
  } finally {
    folder.remove();
  }
});

test.each(["recorded", "not recorded"])(
  "a trace goes from an HTTP request through the app's own span to the Thrift server that it calls: %s",
  async (how) => {
    const isRecorded = how === "recorded";
    await using collector = await collect();
    const server = (factory: string): string =>
      `[server:main]\nfactory = ${factory}\naccess_log = false\nmetrics.enabled = false\ntracing.endpoint = ${collector.url}\ntracing.sample = 100%\n[app:main]\n`;
    const idl = fileURLToPath(new URL("fixtures/thrift/bench.thrift", import.meta.url));
    const folder = makeTemporaryFolder({
      "thrift.ini": `${server("tsserve/thrift")}factory = ${fixtures}thrift-loaded.js\n`,
      "http.ini": `${server("tsserve/http")}factory = ./app.mjs\n`,
      "app.mjs": `import { createRequire } from "node:module";
const require = createRequire(${JSON.stringify(import.meta.filename)});
const { loadService, makeClient } = require("tsserve/thrift");
const { trace } = require("@opentelemetry/api");
export const makeApp = (config) => {
  const client = makeClient(loadService(${JSON.stringify(idl)}, "Bench"), { endpoint: process.env.ENDPOINT });
  return (request, response) => trace.getTracer("app").startActiveSpan("own", async (span) => {
    await new Promise((resolve) => setImmediate(resolve));
    response.end(String(await client.call("add_later", [1, 2, 0])));
    span.end();
  });
};`,
    });
    try {
      await using thrift = spawnTsserve({ args: ["thrift.ini", "--bind", "127.0.0.1:0"], cwd: folder.path });
      const env = { ENDPOINT: (await thrift.listening()).replace("thrift://", "") };
      await using http = spawnTsserve({ args: ["http.ini", "--bind", "127.0.0.1:0"], cwd: folder.path, env });
      const headers = { traceparent: `00-${traceId}-b7ad6b7169203331-0${isRecorded ? 1 : 0}` };
      expect(await (await fetch(await http.listening(), { headers })).text()).toBe("3");
      for (const each of [http, thrift]) {
        each.kill();
        expect(await each.exited()).toMatchObject({ code: 0 });
      }
      const parent = (name: string): string | undefined => collector.spans.find((span) => span.name === name)?.parentId;
      const id = (name: string): string | undefined => collector.spans.find((span) => span.name === name)?.spanId;
      expect(collector.spans).toHaveLength(isRecorded ? 3 : 0);
      if (isRecorded) expect([parent("GET"), parent("own"), parent("add_later")]).toEqual(["b7ad6b7169203331", id("GET"), id("own")]);
    } finally {
      folder.remove();
    }
  },
);
