import { expect, test } from "vitest";
import { run } from "./support/run.ts";
import { iniOf } from "./support/serve.ts";

test("everything that is wrong with consumers comes at once, and exits 2", async () => {
  const app = `export const makeApp = () => ({ consumers: [
    { name: "a", amqp: { queue: "q" } },
    { name: "b", amqp: { queue: "q", rotingKeys: ["x"] }, handle() {} },
    { name: "c", handle() {} },
    { name: "d", amqp: { queue: "d" }, sqs: { queue: "d" }, handle() {}, concurrency: 99 },
    { name: "e", amqp: {}, handle() {}, retry: { limit: -1, delays: ["soon"] } },
    { name: "f", amqp: { queue: "f" }, handle() {} },
    { name: "f", amqp: { queue: "f" }, handle() {} },
    "g",
  ] });`;
  const files = { "app.mjs": app, "app.ini": "[server:main]\nfactory = tsserve/queue\n[app:main]\nfactory = ./app.mjs\n" };
  const { code, stderr } = await run(files, ["app.ini"]);
  expect(code).toBe(2);
  const expected = [
    /app\.ini:3: \[app:main\] consumers\[0\]\.handle: a consumer needs a function/,
    /consumers\[1\]\.amqp\.rotingKeys: unknown key, did you mean "routingKeys"\?/,
    /consumers\[2\]: expected one of amqp and sqs/,
    /consumers\[3\]: expected one of amqp and sqs, found both/,
    /consumers\[3\]\.concurrency: expected at most max_concurrency, which is 10, found "99"/,
    /consumers\[4\]\.amqp: expected a queue, or routingKeys/,
    /consumers\[4\]\.retry\.limit: expected an integer of 0 or more, found "-1"/,
    /consumers\[4\]\.retry\.delays: expected a list of milliseconds or timespans/,
    /consumers\[6\]\.name: another consumer has this name, found "f"/,
    /consumers\[6\]: its queue is that of the consumer "f"/,
    /consumers\[7\]: expected an object \{ name, amqp or sqs, handle \}, found "g"/,
  ];
  for (const pattern of expected) expect(stderr).toMatch(pattern);
  expect(stderr.trim().split("\n")).toHaveLength(expected.length);
  for (const value of ["undefined", "{}", "{ consumers: 7 }", "{ consumers: [] }", "() => 1"]) {
    const wrong = await run({ ...files, "app.mjs": `export const makeApp = () => (${value});` }, ["app.ini"]);
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining("[app:main] consumers: ")]);
  }
});

test("settings are told with their places", async () => {
  const settings = {
    "amqp.qos.global_prefetch_count": "400",
    "amqp.qos.queue_prefetch_count": "70000",
    "amqp.heartbeat": "1.5",
    "aws_sns_sqs.wait_time": "20",
    stop_timeout: "10",
    retry_limit: "-1",
  };
  const { code, stderr } = await run({ "app.ini": iniOf({ app: "consumer.mjs", server: { factory: "tsserve/queue", ...settings } }) }, [
    "check",
    "app.ini",
  ]);
  expect(code).toBe(2);
  expect(stderr).toMatch(/amqp\.qos\.global_prefetch_count: .*quorum queues refuse it/);
  expect(stderr).toMatch(/amqp\.qos\.queue_prefetch_count: expected a number of 1 to 65535/);
  expect(stderr).toMatch(/amqp\.heartbeat: expected whole seconds/);
  expect(stderr).toMatch(/retry_limit: expected 0 or more/);
});
