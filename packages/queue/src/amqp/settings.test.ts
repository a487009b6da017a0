import { isConfigurationError } from "@tsserve/config";
import { expect, test } from "vitest";
import { amqpSettings } from "./settings.ts";

test("what is not said", () => {
  expect(amqpSettings({}, "/srv/app")).toEqual({
    folder: "/srv/app",
    hosts: ["127.0.0.1"],
    port: 5672,
    login: "guest",
    password: "guest",
    virtualHost: "/",
    tls: undefined,
    heartbeatSeconds: 60,
    connectTimeoutMs: 10_000,
    exchange: "amq.topic",
    routingKeyPrefix: "",
    queueNamePrefix: "",
    queueTtlMs: undefined,
    queueType: undefined,
    declares: true,
    prefetch: undefined,
  });
});

test.each<[Record<string, string>, object]>([
  [{ "amqp.host": "a, b" }, { hosts: ["a", "b"] }],
  [{ "amqp.ssl": "true" }, { port: 5671, tls: { ca: undefined, cert: undefined, key: undefined } }],
  [
    { "amqp.ssl": "true", "amqp.port": "7", "amqp.ssl_ca": "ca.pem" },
    { port: 7, tls: { ca: "/etc/app/ca.pem" } },
  ],
  [{ "amqp.ssl": "true", "amqp.ssl_cert": "/c", "amqp.ssl_key": "k" }, { tls: { cert: "/c", key: "/etc/app/k" } }],
  [{ "amqp.heartbeat": "1 minute" }, { heartbeatSeconds: 60 }],
  [{ "amqp.heartbeat": "0" }, { heartbeatSeconds: 0 }],
  [{ "amqp.queue_ttl": "1 day" }, { queueTtlMs: 86_400_000 }],
  [
    { "amqp.queue_type": "quorum", "amqp.declare": "off" },
    { queueType: "quorum", declares: false },
  ],
  [{ "amqp.qos.queue_prefetch_count": "65535" }, { prefetch: 65_535 }],
  [{ "amqp.virtualhost": "shop" }, { virtualHost: "shop" }],
])("%j is %j", (raw, expected) => expect(amqpSettings(raw, "/etc/app")).toMatchObject(expected));

function problemsOf(raw: Record<string, string>): [string | undefined, string][] {
  try {
    amqpSettings(raw);
    return [];
  } catch (error) {
    if (!isConfigurationError(error)) throw error;
    return error.problems.map(({ key, message }) => [key, message]);
  }
}

test.each([
  ["amqp.port", "0", /1 to 65535/],
  ["amqp.port", "70000", /1 to 65535/],
  ["amqp.port", "amqp", /expected/],
  ["amqp.heartbeat", "1.5 seconds", /whole seconds/],
  ["amqp.heartbeat", "19 hours", /at most 65535/],
  ["amqp.heartbeat", "-1", /expected/],
  ["amqp.connect_timeout", "0", /expected/],
  ["amqp.queue_type", "stream", /classic|quorum/],
  ["amqp.declare", "on", /missing|off/],
  ["amqp.ssl", "maybe", /expected/],
  ["amqp.qos.queue_prefetch_count", "0", /1 to 65535/],
  ["amqp.qos.global_prefetch_count", "400", /not supported.*max_concurrency/],
  ["amqp.ssl_ca", "ca.pem", /needs amqp\.ssl = true/],
  ["amqp.ssl_cert", "c.pem", /needs amqp\.ssl = true/],
])("%s = %s is refused at its place", (key, value, message) => {
  expect(problemsOf({ [key]: value })).toEqual([[key, expect.stringMatching(message)]]);
});

test("a certificate and its key go together, and all that is wrong is said at once", () => {
  expect(problemsOf({ "amqp.ssl": "true", "amqp.ssl_cert": "c" })).toEqual([["amqp.ssl_cert", "needs amqp.ssl_key, too"]]);
  expect(problemsOf({ "amqp.ssl": "true", "amqp.ssl_key": "k" })).toEqual([["amqp.ssl_key", "needs amqp.ssl_cert, too"]]);
  expect(problemsOf({ "amqp.ssl_ca": "a", "amqp.ssl_cert": "c", "amqp.ssl_key": "k" })).toHaveLength(3);
  expect(problemsOf({ "amqp.port": "x", "amqp.heartbeat": "x", "amqp.ssl": "x" })).toHaveLength(3);
});
