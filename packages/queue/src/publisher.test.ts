import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AppContext } from "@tsserve/server";
import { traceScope } from "@tsserve/server";
import { expect, test, vi } from "vitest";
import { FakeBroker } from "./amqp/fake-broker.ts";
import { FakeAws } from "./sqs/fake-aws.ts";

let broker = new FakeBroker();
let aws = new FakeAws();
vi.mock("./amqp/library.ts", () => ({ loadLibrary: () => ({ connect: () => Promise.resolve(broker.connect()) }) }));
vi.mock("./sqs/connection.ts", () => ({ awsOpeners: { sqs: async () => aws.api, sns: async () => aws.api } }));

import { openPublisher } from "./publisher.ts";

async function opened(config: Record<string, string> = {}, folder = process.cwd()) {
  broker = new FakeBroker();
  aws = new FakeAws({ GetQueueUrl: () => ({ QueueUrl: "http://sqs/q" }), CreateTopic: () => ({ TopicArn: "arn" }) });
  const stops: (() => unknown)[] = [];
  const log = { child: () => log, info: vi.fn(), warn: vi.fn(), error: vi.fn() };
  const context = { config, folder, log, onStop: (stop: () => unknown) => void stops.push(stop) } as unknown as AppContext;
  return { ...(await openPublisher(context)), stops };
}

test("files are meant from the INI file's folder, wherever the process runs", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tsserve-publisher-"));
  const { publish, close } = await opened({ "amqp.ssl": "true", "amqp.ssl_ca": "absent.pem" }, folder);
  const publishing = publish.amqp("k", 1, { timeout: "1 hour" });
  await expect(publishing).rejects.toThrow(join(folder, "absent.pem"));
  await close();
  rmSync(folder, { recursive: true });
});

const headersOf = (): Record<string, string> => {
  const [[, , , options] = []] = broker.called("publish");
  return (options as { headers: Record<string, string> }).headers;
};

test("outside of any request a message begins a trace of its own", async () => {
  const { publish } = await opened();
  await publish.amqp("k", 1);
  expect(headersOf()["traceparent"]).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
});

test.each([
  [
    { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", sampled: false },
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
  ],
  [{ traceId: "255", spanId: "16", sampled: true }, "00-000000000000000000000000000000ff-0000000000000010-01"],
])("inside of a request it continues that one's trace: %j", async (trace, traceparent) => {
  const { publish } = await opened();
  await traceScope().run(
    () => trace,
    () => publish.amqp("k", 1),
  );
  expect(headersOf()["traceparent"]).toBe(traceparent);
});

test.each([
  [
    "in a request, and its span of the app's own",
    true,
    "1111111111111111",
    false,
    "00-0af7651916cd43dd8448eb211c80319c-1111111111111111-00",
    "a=b",
  ],
  [
    "in a span of the app's own alone, as in a script",
    false,
    "1111111111111111",
    true,
    "00-0af7651916cd43dd8448eb211c80319c-1111111111111111-01",
    undefined,
  ],
])("its parent is the span that it is published in: %s", async (_where, isInRequest, spanId, sampled, traceparent, state) => {
  const { publish } = await opened();
  const scope = traceScope();
  const traceId = "0af7651916cd43dd8448eb211c80319c";
  scope.active = () => ({ traceId, spanId, sampled });
  try {
    const publishing = (): Promise<void> => publish.amqp("k", 1);
    await (isInRequest ? scope.run(() => ({ traceId, spanId: "b7ad6b7169203331", state: "a=b" }), publishing) : publishing());
  } finally {
    scope.active = undefined;
  }
  expect(headersOf()).toEqual({ traceparent, ...(state === undefined ? {} : { tracestate: state }) });
});

test("a span of another trace is no parent of what a request publishes: its caller knows the trace by its own id", async () => {
  const { publish } = await opened();
  const scope = traceScope();
  scope.active = () => ({ traceId: "00000000000000000000000000000001", spanId: "1111111111111111", sampled: true });
  try {
    await scope.run(
      () => ({ traceId: "255", spanId: "16", sampled: true }),
      () => publish.amqp("k", 1),
    );
  } finally {
    scope.active = undefined;
  }
  expect(headersOf()["traceparent"]).toBe("00-000000000000000000000000000000ff-0000000000000010-01");
});

test("ids that no trace can have are replaced, the state goes along", async () => {
  const { publish } = await opened();
  await traceScope().run(
    () => ({ traceId: "no id", spanId: "7f", state: "a=b" }),
    () => publish.amqp("k", 1),
  );
  expect(headersOf()).toEqual({ traceparent: expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/) as string, tracestate: "a=b" });
});

test("each broker by its own name; a list is told of one by one", async () => {
  const { publish } = await opened();
  await publish.sns("t", { a: 1 });
  await publish.sqs("q", { a: 1 });
  expect(await publish.sqs("q", [{ data: 1 }, { data: 2 }])).toEqual([{ ok: true }, { ok: true }]);
  // With options, a list is one message.
  await publish.sqs("q", [1, 2], { delaySeconds: 1 });
  const bodies = aws
    .inputsOf("SendMessageBatch")
    .flatMap(({ Entries }) => (Entries as { MessageBody: string }[]).map((each) => each.MessageBody));
  expect([bodies, aws.inputsOf("Publish").length]).toEqual([['{"a":1}', "1", "2", "[1,2]"], 1]);
});

test("it is closed by the lifecycle, and takes nothing afterwards", async () => {
  const { publish, stops } = await opened();
  await publish.amqp("k", 1);
  for (const stop of stops) await stop();
  await expect(publish.amqp("k", 2)).rejects.toMatchObject({ name: "PublishError", code: "UNAVAILABLE" });
  expect(broker.called("closeConnection")).toHaveLength(1);
});

test("a bad key is a mistake of the configuration", async () => {
  await expect(opened({ "amqp.port": "none" })).rejects.toMatchObject({ problems: [{ key: "amqp.port" }] });
});
