import { Meter } from "@tsserve/server";
import { expect, test } from "vitest";
import { messageFigures } from "./message-figures.ts";

const labels = { queue_system: "rabbitmq", queue_name: "q", queue_consumer: "c" };
const total = { name: "queue_consumer_messages_total", help: "", type: "counter" } as const;
const lag = { name: "queue_consumer_lag_seconds", help: "", type: "histogram", buckets: [0.1, 1] } as const;

test("a worker without consumers, or without metrics, says nothing of messages", () => {
  const meter = new Meter();
  meter.counter({ name: "http_server_requests_total", help: "", type: "counter" }, {}).add(5);
  expect([messageFigures(meter)(), messageFigures(undefined)()]).toEqual([undefined, undefined]);
});

test("rate and lag are those since it was asked last, failures those of its life, over all consumers", () => {
  let now = 0;
  const meter = new Meter();
  const lags = [meter.histogram(lag, labels), meter.histogram(lag, { ...labels, queue_consumer: "d" })] as const;
  const left = (outcome: string, count: number): void => meter.counter(total, { ...labels, queue_outcome: outcome }).add(count);
  const ask = messageFigures(meter, () => now);
  now = 1000;
  expect(ask()).toEqual({ perSecond: 0, lagSeconds: undefined, retriesTotal: 0, deadTotal: 0 });
  left("ack", 20);
  left("retry", 3);
  left("dead", 2);
  lags[0].observe(0.2);
  lags[1].observe(0.4);
  now = 1500;
  expect(ask()).toEqual({ perSecond: 50, lagSeconds: 0.3, retriesTotal: 3, deadTotal: 2 });
  left("retry", 1);
  lags[0].observe(5);
  now = 2500;
  expect(ask()).toEqual({ perSecond: 1, lagSeconds: 5, retriesTotal: 4, deadTotal: 2 });
  // Twice in the same millisecond.
  expect(ask()).toEqual({ perSecond: 0, lagSeconds: undefined, retriesTotal: 4, deadTotal: 2 });
});
