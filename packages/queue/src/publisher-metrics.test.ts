import { Registry } from "prom-client";
import { describe, expect, test } from "vitest";
import { PublishError } from "./publish-error.ts";
import { outcomeOf, publisherCounter } from "./publisher-metrics.ts";

describe("what is published", () => {
  test("is counted on the app's registry, by where it went and what became of it", async () => {
    const registry = new Registry();
    const count = publisherCounter(registry);
    count("rabbitmq", "amq.topic", "sent");
    count("rabbitmq", "amq.topic", "sent");
    count("rabbitmq", "amq.topic", "no_route");
    count("aws_sqs", "mails", "sent", 7);
    const text = await registry.metrics();
    expect(text).toContain("# TYPE queue_publisher_messages_total counter");
    expect(text).toContain('queue_publisher_messages_total{queue_system="rabbitmq",queue_name="amq.topic",queue_outcome="sent"} 2');
    expect(text).toContain('queue_publisher_messages_total{queue_system="rabbitmq",queue_name="amq.topic",queue_outcome="no_route"} 1');
    expect(text).toContain('queue_publisher_messages_total{queue_system="aws_sqs",queue_name="mails",queue_outcome="sent"} 7');
  });

  test("is counted once for all publishers of a process", async () => {
    const registry = new Registry();
    publisherCounter(registry)("rabbitmq", "x", "sent");
    publisherCounter(registry)("rabbitmq", "x", "sent");
    expect(await registry.getMetricsAsJSON()).toMatchObject([{ values: [{ value: 2 }] }]);
    registry.resetMetrics();
    expect(await registry.getMetricsAsJSON()).toMatchObject([{ values: [] }]);
  });

  test("is counted nowhere without a registry", () => {
    expect(() => publisherCounter(undefined)("rabbitmq", "x", "sent")).not.toThrow();
  });

  test.each([
    [new PublishError("NO_ROUTE", "x"), "no_route"],
    [new PublishError("TIMEOUT", "x"), "timeout"],
    [new PublishError("LOST", "x"), "lost"],
    [new Error("x"), "refused"],
    ["x", "refused"],
  ])("what %s came to", (error, outcome) => {
    expect(outcomeOf(error)).toBe(outcome);
  });
});
