import { ActiveRequests, Health, Meter, SERVER_STATE, type ServerContext } from "@tsserve/server";
import { expect, test, vi } from "vitest";
import { FakeBroker, refusal } from "./amqp/fake-broker.ts";
import type { ConsumerOptions } from "./consumer-options.ts";
import type { HandlerContext } from "./message.ts";

let broker = new FakeBroker();
vi.mock("./amqp/library.ts", () => ({ loadLibrary: () => ({ connect: () => Promise.resolve(broker.connect()) }) }));

import { makeServer } from "./make-server.ts";

/** A server over a broker in memory, and what it told. */
function made(raw: Record<string, string> = {}, consumer: Partial<ConsumerOptions> = {}) {
  broker = new FakeBroker();
  const told: string[] = [];
  const tell = (first: unknown, text?: string): void => void told.push(text ?? String(first));
  const log = { info: tell, warn: tell, error: tell, debug: tell, child: () => log };
  const health = new Health(SERVER_STATE, () => undefined);
  const context = { logger: () => log, log, health, meter: new Meter(), requests: new ActiveRequests(), folder: "/" };
  const app = { consumers: [{ name: "orders", amqp: { queue: "q", routingKeys: ["order.*"] }, handle: () => undefined, ...consumer }] };
  const server = makeServer({ factory: "tsserve/queue", ...raw } as never, [], app, context as unknown as ServerContext);
  return { server, told, health };
}

const never = (): AbortSignal => new AbortController().signal;
const consuming = () => broker.channels.at(-1) ?? expect.fail("there is no channel");
const aborted = (): AbortSignal => AbortSignal.abort();

test("made, it has its routes and has connected to nothing", async () => {
  const { server } = made();
  expect(await server.routes?.()).toMatchObject([{ method: "AMQP", path: "order.* → q" }]);
  expect(broker.models).toEqual([]);
});

test("its start is over with the subscription, and readiness with it", async () => {
  const { server, health } = made();
  await server.start();
  expect([broker.called("consume").length, await health.answer("readiness"), await health.answer("startup")]).toEqual([1, "ok", "ok"]);
  expect(await server.stop(never())).toEqual({ cut: 0 });
  expect(broker.called("closeConnection")).toHaveLength(1);
});

test("a start that the broker refuses lets go of everything", async () => {
  const { server } = made();
  broker.faults.set("consume", refusal(403, "ACCESS_REFUSED"));
  await expect(server.start()).rejects.toMatchObject({ reason: "refused" });
  expect(broker.called("closeConnection")).toHaveLength(1);
});

test("a drain takes nothing new, a stop finishes what was taken", async () => {
  let end = (): void => undefined;
  const handled = vi.fn(() => new Promise<void>((resolve) => (end = resolve)));
  const { server } = made({}, { handle: handled });
  await server.start();
  consuming().deliver("{}", { messageId: "m" });
  server.drain?.();
  await vi.waitUntil(() => broker.called("cancel").length === 1);
  const stopping = server.stop(never());
  end();
  expect([await stopping, broker.called("ack"), broker.called("cancel").length]).toEqual([{ cut: 0 }, [[1, false]], 1]);
});

test("what runs at the deadline is cut, counted, and goes back; with the channel, where the consumer is not cancelled yet", async () => {
  for (const isCancelled of [true, false]) {
    const { server, told } = made({}, { handle: () => new Promise(() => undefined) });
    broker.calls.length = 0;
    await server.start();
    consuming().deliver("{}", { messageId: "m" });
    if (isCancelled) server.drain?.();
    await vi.waitUntil(() => !isCancelled || broker.called("cancel").length === 1);
    expect(await server.stop(aborted())).toEqual({ cut: 1 });
    expect(told.filter((text) => text.includes("was cut after"))).toHaveLength(1);
    expect([broker.called("nack"), consuming().isClosed]).toEqual([isCancelled ? [[1, true, true]] : [], true]);
  }
});

test.each<[string, (context: HandlerContext) => Promise<void>, string[]]>([
  [
    "that ends when its signal aborts",
    ({ signal }) => new Promise((resolve) => signal.addEventListener("abort", () => resolve())),
    ["cancel", "ack", "close"],
  ],
  ["that ends the server", () => Promise.reject(Object.assign(new Error("the disk is gone"), { name: "FatalError" })), ["close"]],
  ["whose message waits for its retry", () => Promise.reject(new Error("no luck")), ["close"]],
])(
  "in order, a stop has no need of its deadline for a run %s, which is not repeated",
  async (_, handle, left) => {
    const handled = vi.fn((_message: unknown, context: HandlerContext) => handle(context));
    const ordered = { amqp: { queue: "q", ordered: true }, handle: handled };
    const { server } = made({ stop_timeout: "0.2", retry_delay: "1 hour" }, ordered);
    server.ended?.catch(() => undefined);
    await server.start();
    broker.calls.length = 0;
    consuming().deliver("{}", { messageId: "m" });
    await vi.waitUntil(() => handled.mock.calls.length === 1);
    expect(await server.stop(never())).toEqual({ cut: 0 });
    expect(broker.calls.map(([name]) => name)).toEqual([...left, "closeConnection"]);
    expect(handled).toHaveBeenCalledTimes(1);
  },
  10_000,
);

test("a FatalError ends the server", async () => {
  const fatal = Object.assign(new Error("the disk is gone"), { name: "FatalError" });
  const { server } = made({}, { handle: () => Promise.reject(fatal) });
  await server.start();
  consuming().deliver("{}", { messageId: "m" });
  await expect(server.ended).rejects.toBe(fatal);
  await server.stop(aborted());
});

test.each([
  [{ dead_letter: "false" }, /dead_letter|thrown away|discarded/],
  [{ "amqp.queue_ttl": "1 hour" }, /queue_ttl/],
])("what may lose messages is warned of when it is made: %j", (raw, expected) => {
  expect(made(raw).told.join("\n")).toMatch(expected);
  expect(made().told).toEqual([]);
});
