import { freePort, makeTemporaryFolder, spawnTsserve, until, type TsserveProcess } from "@tsserve/testing";
import { CreateQueueCommand, DeleteMessageCommand, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { startFauxqs } from "fauxqs";
import { describe, expect, test } from "vitest";
import { collect, type CollectedSpan, type Collector } from "./support/collector.ts";
import { run } from "./support/run.ts";
import { fakeSentry } from "./support/sentry.ts";

const here = JSON.stringify(import.meta.filename);
const load = `import { createRequire } from "node:module";\nconst require = createRequire(${here});\n`;
const handler = `
const { trace } = require("@opentelemetry/api");
const own = (name, work) => trace.getTracer("app").startActiveSpan(name, async (span) => { try { return await work(); } finally { span.end(); } });
const work = async (path, config) => {
  if (path.startsWith("/fails")) throw new Error("it fails");
  return own("lookup", async () => (config.next === undefined ? "end" : await (await fetch(config.next)).text()));
};
`;
/** Apps of all kinds, in the two forms of modules and in TypeScript. */
const apps: Readonly<Record<string, string>> = {
  "fastify.mjs": `${load}${handler}
export const makeApp = (config, context) => { const app = require("fastify")(context.fastifyOptions); app.get("/users/:id", (request) => work(request.url, config)); app.get("/fails", (request) => work(request.url, config)); return app; };`,
  "express.cjs": `${handler}
exports.makeApp = (config) => { const app = require(require.resolve("express", { paths: [${here}] }))(); app.get("/users/:id", async (request, response) => response.send(await work(request.path, config))); app.get("/fails", () => { throw new Error("it fails"); }); return app; };`.replace(
    'require("@opentelemetry/api")',
    `require(require.resolve("@opentelemetry/api", { paths: [${here}] }))`,
  ),
  "fetch.ts": `${load}${handler.replace("(path, config)", "(path: string, config: any)").replace("(name, work)", "(name: string, work: () => Promise<string>)").replace("async (span)", "async (span: any)")}
export const makeApp = (config: any) => ({ fetch: async (request: Request) => new Response(await work(new URL(request.url).pathname, config)) });`,
  // At the end of its stop it stands still with whatever connects: for longer than the last reports have.
  "stands-still.mjs": `import { Socket } from "node:net";
const { connect } = Socket.prototype;
export const makeApp = (config, context) => {
  context.onStop(() => { Socket.prototype.connect = function (...args) { const socket = connect.apply(this, args); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2500); return socket; }; });
  return (request, response) => response.end("ok");
};`,
  // Knows nothing of traces.
  "plain.mjs": `export const makeApp = (config) => async (request, response) => {
  await new Promise((resolve) => setTimeout(resolve, 3));
  const asks = config.next !== undefined && Number(request.url.slice(1)) >= Number(config.from);
  response.end(asks ? await (await fetch(config.next)).text() : "end");
};`,
};

interface Traced extends TsserveProcess {
  readonly url: string;
}

async function serve(
  collector: Collector | string,
  app: string,
  server = "",
  config = "",
  env: Record<string, string> = {},
): Promise<Traced> {
  const port = await freePort();
  const folder = makeTemporaryFolder({
    "app.ini": `[server:main]\nfactory = tsserve/http\naccess_log = false\nmetrics.enabled = false\ntracing.endpoint = ${typeof collector === "string" ? collector : collector.url}\n${server}\n[app:main]\nfactory = ./${app}\n${config}\n`,
    [app]: apps[app] ?? "",
  });
  const spawned = spawnTsserve({ args: ["app.ini", "--bind", `127.0.0.1:${port}`], cwd: folder.path, env });
  await spawned.listening();
  return { ...spawned, url: `http://127.0.0.1:${port}` };
}

const traceId = "0af7651916cd43dd8448eb211c80319c";
const from = (flags: string): RequestInit => ({ headers: { traceparent: `00-${traceId}-b7ad6b7169203331-${flags}` } });
const byName = (spans: readonly CollectedSpan[], name: string): CollectedSpan | undefined => spans.find((span) => span.name === name);

describe("a trace", () => {
  test.each(["fastify.mjs", "express.cjs", "fetch.ts"])(
    "goes from the caller through the server, the app's own span and its fetch to the next server: %s",
    async (app) => {
      await using collector = await collect();
      await using next = await serve(collector, "fastify.mjs", "tracing.service_name = next");
      await using first = await serve(collector, app, "tracing.service_name = first", `next = ${next.url}/users/8`);
      expect(await (await fetch(`${first.url}/users/7`, from("01"))).text()).toBe("end");
      expect((await fetch(`${first.url}/fails`, from("01"))).status).toBe(500);
      // What has not been sent is sent in the stop.
      first.kill();
      next.kill();
      expect([(await first.exited()).code, (await next.exited()).code]).toEqual([0, 0]);
      const { spans } = collector;
      const of = (service: string): CollectedSpan[] => spans.filter((span) => span.service === service);
      const route = app.startsWith("fetch") ? "GET" : "GET /users/:id";
      const server = of("first").find((span) => span.attributes["url.path"] === "/users/7");
      expect(server).toMatchObject({ traceId, parentId: "b7ad6b7169203331", kind: 2, status: 0, name: route });
      expect(server?.attributes).toMatchObject({
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "url.scheme": "http",
        "client.address": "127.0.0.1",
      });
      const lookup = byName(of("first"), "lookup");
      expect(lookup).toMatchObject({ traceId, parentId: server?.spanId, kind: 1 });
      const second = byName(of("next"), "GET /users/:id");
      expect(second).toMatchObject({ traceId, parentId: lookup?.spanId, kind: 2 });
      expect(byName(of("next"), "lookup")).toMatchObject({ traceId, parentId: second?.spanId });
      const failed = of("first").find((span) => span.attributes["url.path"] === "/fails");
      expect(failed).toMatchObject({ status: 2, attributes: { "http.response.status_code": 500, "error.type": "500" } });
    },
  );

  test("is recorded as the caller decided, else in part; probes are not", async () => {
    await using collector = await collect();
    await using server = await serve(collector, "fastify.mjs", "tracing.sample = 0%");
    await fetch(`${server.url}/users/1`);
    await fetch(`${server.url}/users/2`, from("00"));
    await fetch(`${server.url}/health`, from("01"));
    await fetch(`${server.url}/users/3`, from("01"));
    server.kill();
    await server.exited();
    expect(collector.spans.map((span) => [span.attributes["url.path"] ?? span.name])).toEqual(
      expect.arrayContaining([["/users/3"], ["lookup"]]),
    );
    expect(collector.spans).toHaveLength(2);
  });

  test("of many requests is whole: caller, server, the app's span, its fetch, the next server and its own span", async () => {
    await using collector = await collect();
    await using next = await serve(collector, "fastify.mjs", "tracing.service_name = next");
    await using first = await serve(
      collector,
      "fastify.mjs",
      "tracing.service_name = first\ntracing.sample = 100%\ndrain_time = 1 second",
      `next = ${next.url}/users/8`,
    );
    // Ten thousand are asked for by hand.
    const count = Number(process.env["TSSERVE_TRACED_REQUESTS"] ?? 2000);
    const clients = 50;
    // The queue of spans is bounded: what comes faster than it is sent would be dropped, and counted.
    let asked = 0;
    const client = async (): Promise<void> => {
      while (asked < count) {
        const id = (0xabcdef * 2 ** 24 + asked++).toString(16).padStart(32, "1");
        const answer = await fetch(`${first.url}/users/7`, { headers: { traceparent: `00-${id}-b7ad6b7169203331-01` } });
        expect(await answer.text()).toBe("end");
        await until("room in the queue", () => asked - collector.spans.length / 4 < 400, { timeoutMs: 60_000 });
      }
    };
    await Promise.all(Array.from({ length: clients }, client));
    first.kill();
    next.kill();
    expect([(await first.exited()).code, (await next.exited()).code]).toEqual([0, 0]);
    const byTrace = new Map<string, CollectedSpan[]>();
    for (const span of collector.spans) byTrace.set(span.traceId, [...(byTrace.get(span.traceId) ?? []), span]);
    expect([byTrace.size, collector.spans.length]).toEqual([count, 4 * count]);
    for (const spans of byTrace.values()) {
      let parent = "b7ad6b7169203331";
      for (const [service, kind] of [
        ["first", 2],
        ["first", 1],
        ["next", 2],
        ["next", 1],
      ] as const) {
        const found = spans.filter((span) => span.service === service && span.kind === kind);
        if (found.length !== 1 || found[0]?.parentId !== parent) expect([service, kind, found]).toEqual([service, kind, parent]);
        parent = found[0]?.spanId ?? "";
      }
    }
  });

  test("of what is recorded by lot is whole, beside all that is not, whenever the app first asks", async () => {
    await using collector = await collect();
    await using next = await serve(collector, "plain.mjs", "tracing.service_name = next\ntracing.sample = 0%");
    await using first = await serve(
      collector,
      "plain.mjs",
      "tracing.service_name = first\ntracing.sample = 20%",
      `next = ${next.url}/next\nfrom = 300`,
    );
    // The first 300 ask nothing; then each asks the next server, after it has waited.
    for (let n = 0; n < 900; n += 30)
      await Promise.all(Array.from({ length: 30 }, async (_, m) => (await fetch(`${first.url}/${n + m}`)).text()));
    first.kill();
    next.kill();
    await Promise.all([first.exited(), next.exited()]);
    const of = (service: string): CollectedSpan[] => collector.spans.filter((span) => span.service === service);
    const asking = of("first").filter(({ attributes }) => Number(String(attributes["url.path"]).slice(1)) >= 300);
    expect(asking.length).toBeGreaterThan(40);
    // Each of the next server's is the child of one of the first's, and each that was recorded there has one.
    expect(
      of("next")
        .map(({ parentId }) => parentId)
        .sort(),
    ).toEqual(asking.map(({ spanId }) => spanId).sort());
  });
});

describe("a message", () => {
  const publishing = `${load}
const { trace } = require("@opentelemetry/api");
const { openPublisher } = require("tsserve/queue");
const own = (work) => trace.getTracer("app").startActiveSpan("order", async (span) => { try { return await work(); } finally { span.end(); } });
export const makeApp = async (config, context) => {
  const { publish } = await openPublisher(context);
  return async (request, response) => { await own(() => publish.sqs("orders", { n: 1 })); response.end("end"); };
};
export const publishes = async (config, args, context) => { const { publish } = await openPublisher(context); await own(() => publish.sqs("orders", { n: 1 })); };
`;

  test("is a child of the span that it is published in, in a request and in a script", async () => {
    const aws = await startFauxqs({ port: 0, logger: false });
    const credentials = { accessKeyId: "test", secretAccessKey: "verysecret" };
    const sqs = new SQSClient({ region: "us-east-1", credentials, endpoint: aws.address });
    const folder = makeTemporaryFolder();
    try {
      await using collector = await collect();
      const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: "orders" }));
      const ini = `[server:main]
factory = tsserve/http
metrics.enabled = false
tracing.endpoint = ${collector.url}
[app:main]
factory = ./app.mjs
aws_sns_sqs.region_name = us-east-1
aws_sns_sqs.aws_access_key_id = test
aws_sns_sqs.aws_secret_access_key = verysecret
aws_endpoint_urls.sqs = ${aws.address}
`;
      folder.write("app.ini", ini);
      folder.write("app.mjs", publishing);
      /** The span that the message names as its parent, and the one that it was published in. */
      const parents = async (): Promise<readonly (string | undefined)[]> => {
        const { Messages: [message] = [] } = await sqs.send(
          new ReceiveMessageCommand({ QueueUrl, MessageAttributeNames: ["All"], WaitTimeSeconds: 5 }),
        );
        await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: message?.ReceiptHandle }));
        const span = byName(collector.spans.splice(0), "order");
        return [message?.MessageAttributes?.["traceparent"]?.StringValue, `00-${traceId}-${span?.spanId}-01`];
      };
      await using server = spawnTsserve({ args: ["app.ini", "--bind", "127.0.0.1:0"], cwd: folder.path });
      await (await fetch(await server.listening(), from("01"))).text();
      server.kill();
      expect((await server.exited()).code).toBe(0);
      const [ofRequest, requestSpan] = await parents();
      expect(ofRequest).toBe(requestSpan);
      const env = { TRACEPARENT: `00-${traceId}-b7ad6b7169203331-01` };
      await using job = spawnTsserve({ args: ["script", "app.ini", "./app.mjs:publishes"], cwd: folder.path, env });
      expect((await job.exited()).code).toBe(0);
      const [ofJob, jobSpan] = await parents();
      expect(ofJob).toBe(jobSpan);
    } finally {
      folder.remove();
      sqs.destroy();
      await aws.stop();
    }
  });
});

describe("a collector", () => {
  test.each(["refuses", "silent", "nonsense", "drips", "away", "resets", "too much", "unavailable", "slow"] as const)(
    "whose answer is “%s” costs no request, a line of the log at most, and no lasting stop",
    async (how) => {
      await using collector = await collect(how === "away" ? "takes" : how);
      await using sentry = await fakeSentry(how === "away" ? "takes" : how);
      const nowhere = `127.0.0.1:${await freePort()}`;
      const url = how === "away" ? `http://${nowhere}` : collector.url;
      const dsn = how === "away" ? `http://publickey0123456789@${nowhere}/42` : sentry.dsn;
      const secret = "tracing.headers = authorization=Bearer hunter2hunter2";
      // The last spans and the last errors share a bound, and it is none of what `stop_timeout` gives to requests.
      await using server = await serve(
        url,
        "fastify.mjs",
        `tracing.sample = 100%\n${secret}\nsentry.dsn = ${dsn}\nstop_timeout = 1 second`,
      );
      for (let n = 0; n < 20; n++) expect((await fetch(`${server.url}/users/${n}`)).status).toBe(200);
      expect((await fetch(`${server.url}/fails`)).status).toBe(500);
      server.kill();
      expect(await server.exited()).toEqual({ code: 0, signal: null });
      expect(server.logs().filter(({ msg }) => msg.startsWith("the collector of traces")).length).toBeLessThanOrEqual(1);
      // What never answers holds its connections until the process is gone.
      if (how === "silent" || how === "drips") expect([collector.requests.length > 0, sentry.received.length > 0]).toEqual([true, true]);
      expect(server.stdout() + server.stderr()).not.toContain("hunter2");
      if (how === "refuses") expect(collector.requests[0]?.headers.authorization).toBe("Bearer hunter2hunter2");
    },
  );

  test("that answers at once has the last spans of a process that stood still while it sent them", async () => {
    await using collector = await collect();
    await using server = await serve(collector.url, "stands-still.mjs", "tracing.sample = 100%");
    await (await fetch(server.url)).text();
    server.kill();
    expect(await server.exited()).toEqual({ code: 0, signal: null });
    expect(collector.spans).toHaveLength(1);
  });

  test("may be named by the variable that OpenTelemetry knows", async () => {
    await using collector = await collect();
    const { code, stdout } = await run(
      {
        "app.ini":
          "[server:main]\nfactory = tsserve/http\ntracing.headers = authorization=Bearer hunter2hunter2\n[app:main]\nfactory = ./fastify.mjs\n",
        "fastify.mjs": apps["fastify.mjs"] ?? "",
      },
      ["check", "app.ini"],
      { env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url } },
    );
    expect([code, stdout.includes("hunter2")]).toEqual([0, false]);
  });

  test.each([
    ["localhost:4318", "tracing.endpoint", /expected a URL/],
    ["http://localhost:4318?token=1", "tracing.endpoint", /expected a URL.*without a query/],
    ["http://localhost:4318\ntracing.headers = nonsense", "tracing.headers", /expected name=value/],
  ])("%s is a wrong setting, in one sentence", async (value, key, message) => {
    const { code, stderr } = await run(
      { "app.ini": `[server:main]\nfactory = tsserve/http\ntracing.endpoint = ${value}\n[app:main]\nfactory = ./a.js\n`, "a.js": "" },
      ["check", "app.ini"],
    );
    expect(code).toBe(2);
    expect(stderr).toMatch(new RegExp(`\\[server:main\\] ${key.replace(".", "\\.")}: `));
    expect(stderr).toMatch(message);
    expect(stderr.match(/\[server:main\]/g)).toHaveLength(1);
  });
});

test("a tracer provider of the app's own is used, and nothing is added to it", async () => {
  await using collector = await collect();
  const own = `${load}
const { BasicTracerProvider, SimpleSpanProcessor } = require("@opentelemetry/sdk-trace-base");
const { trace } = require("@opentelemetry/api");
const exporter = { export: (spans, done) => { for (const span of spans) console.error("OWN " + span.name + " " + span.kind); done({ code: 0 }); }, shutdown: async () => {} };
trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
export const makeApp = (config, context) => { const app = require("fastify")(context.fastifyOptions); app.get("/users/:id", () => "ok"); return app; };`;
  const folder = makeTemporaryFolder({
    "app.ini": `[server:main]\nfactory = tsserve/http\nmetrics.enabled = false\ntracing.endpoint = ${collector.url}\n[app:main]\nfactory = ./app.mjs\n`,
    "app.mjs": own,
  });
  await using server = spawnTsserve({ args: ["app.ini", "--bind", "127.0.0.1:0"], cwd: folder.path });
  const url = await server.listening();
  await (await fetch(`${url}/users/7`)).text();
  await until("the app's own exporter", () => (server.stderr().includes("OWN GET /users/:id 1") ? true : undefined), {
    describe: server.stderr,
  });
  server.kill();
  await server.exited();
  expect(collector.spans).toEqual([]);
  folder.remove();
});
