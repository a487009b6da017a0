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
