import { expect, test } from "vitest";
import type { Logger } from "pino";
import type { ConsumerDefinition } from "./consumer-definition.ts";
import { MemoryDelivery } from "./memory/delivery.ts";
import type { Message } from "./message.ts";
import { json } from "./parse/json.ts";
import { QueueRun } from "./queue-run.ts";
import { readConsumers } from "./read-consumers.ts";
import { runHandler } from "./run-handler.ts";
import { queueSettings } from "./settings.ts";

interface Given {
  readonly parse?: ConsumerDefinition["parse"];
  readonly handle?: (message: Message) => unknown;
}

/** How a run ended: each end that was told, with what was thrown. */
async function endsOf(
  { parse = json, handle = () => undefined }: Given,
  whileWaiting: (run: QueueRun) => void = () => undefined,
): Promise<unknown[]> {
  const [consumer] = readConsumers({ consumers: [{ name: "c", amqp: { queue: "q" }, parse, handle }] }, queueSettings({}));
  const definition = consumer as ConsumerDefinition;
  const run = new QueueRun(definition, new MemoryDelivery({ body: { n: 1 } }, () => undefined), undefined, 0, {} as Logger);
  const ends: unknown[] = [];
  runHandler(run, definition, {
    handled: () => ends.push("handled"),
    unparseable: (_, error) => ends.push(["unparseable", error]),
    failed: (_, error) => ends.push(["failed", error]),
  });
  whileWaiting(run);
  await new Promise((resolve) => setImmediate(resolve));
  return ends;
}

const broken = new Error("broken");
const thrower = (): never => {
  throw broken;
};
const thenable = (settle: (resolve: (value?: unknown) => void, reject: (error: unknown) => void) => void): unknown => ({ then: settle });

const cases: readonly [string, Given, unknown][] = [
  ["returns", { handle: () => 7 }, "handled"],
  ["returns null", { handle: () => null }, "handled"],
  ["resolves", { handle: async () => 7 }, "handled"],
  ["throws at once", { handle: thrower }, ["failed", broken]],
  ["rejects", { handle: () => Promise.reject(broken) }, ["failed", broken]],
  ["rejects with nothing", { handle: () => Promise.reject() }, ["failed", undefined]],
  ["gives another library's promise", { handle: () => thenable((resolve) => resolve()) }, "handled"],
  ["gives one that throws", { handle: () => thenable(thrower) }, ["failed", broken]],
  ["gives one that settles twice", { handle: () => thenable((resolve, reject) => (resolve(), resolve(), reject(broken))) }, "handled"],
  ["gives an object whose `then` is no function", { handle: () => ({ then: 7 }) }, "handled"],
];

test.each(cases)("a handler that %s ends once", async (_, given, end) => {
  expect(await endsOf(given)).toEqual([end]);
});

test.each([
  ["throws", { parse: thrower }],
  ["rejects", { parse: () => Promise.reject(broken) }],
] as readonly [string, Given][])("a parser that %s keeps the message from its handler", async (_, given) => {
  let runs = 0;
  expect(await endsOf({ ...given, handle: () => (runs += 1) })).toEqual([["unparseable", broken]]);
  expect(runs).toBe(0);
});

test("a handler gets what its parser made, at once or later, beside the rest of the message", async () => {
  const bodies: unknown[] = [];
  const handle = ({ body, queue, bytes }: Message): void => void bodies.push([body, queue, bytes.toString()]);
  expect(await endsOf({ handle })).toEqual(["handled"]);
  expect(await endsOf({ handle, parse: async ({ bytes }) => bytes.length })).toEqual(["handled"]);
  expect(bodies).toEqual([
    [{ n: 1 }, "q", '{"n":1}'],
    [7, "q", '{"n":1}'],
  ]);
});

test("what took too long to parse is not handled any more", async () => {
  let runs = 0;
  const ends = await endsOf({ parse: async () => 1, handle: () => (runs += 1) }, (run) => (run.isOver = true));
  expect([ends, runs]).toEqual([[], 0]);
});
