import type { AppContext } from "@tsserve/server";
import { traceScope } from "@tsserve/server";
import { expect, test, vi } from "vitest";
import { FakeBroker } from "./amqp/fake-broker.ts";
import { FakeAws } from "./sqs/fake-aws.ts";

let broker = new FakeBroker();
let aws = new FakeAws();
vi.mock("./amqp/library.ts", () => ({ loadLibrary: () => Promise.resolve({ connect: () => Promise.resolve(broker.connect()) }) }));
vi.mock("./sqs/library.ts", () => ({ loadSqs: () => Promise.resolve({}), loadSns: () => Promise.resolve({}) }));
vi.mock("./sqs/connection.ts", () => ({ sqsApi: () => aws.api, snsApi: () => aws.api }));

import { openPublisher } from "./publisher.ts";

async function opened(config: Record<string, string> = {}) {
  broker = new FakeBroker();
  aws = new FakeAws({ GetQueueUrl: () => ({ QueueUrl: "http://sqs/q" }), CreateTopic: () => ({ TopicArn: "arn" }) });
  const stops: (() => unknown)[] = [];
  const log = { child: () => log, info: vi.fn(), warn: vi.fn(), error: vi.fn() };
  const context = { config, log, onStop: (stop: () => unknown) => void stops.push(stop) } as unknown as AppContext;
  return { ...(await openPublisher(context)), stops };
}

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
