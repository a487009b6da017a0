import { isConfigurationError } from "@tsserve/config";
import { expect, test } from "vitest";
import { queueSettings } from "./settings.ts";

function problemOf(raw: Record<string, string>): string | undefined {
  try {
    queueSettings(raw);
    return undefined;
  } catch (error) {
    if (!isConfigurationError(error)) throw error;
    return error.problems.map(({ key, message }) => `${key}: ${message}`).join("; ");
  }
}

test("the defaults are those of the documentation", () => {
  const settings = queueSettings({});
  expect(settings).toMatchObject({
    maxConcurrency: 10,
    messageTimeoutMs: 1_500_000,
    maxMessageBytes: 16 * 1024 ** 2,
    stopTimeoutMs: 30_000,
  });
  expect(settings.retry).toEqual({ limit: 10, delaysMs: [1000, 10_000, 60_000, 600_000] });
  expect(settings.amqp).toMatchObject({
    hosts: ["127.0.0.1"],
    port: 5672,
    login: "guest",
    virtualHost: "/",
    tls: undefined,
    heartbeatSeconds: 60,
    declares: true,
  });
  expect(settings.sqs).toMatchObject({ waitTimeMs: 20_000, credentials: undefined, region: undefined });
});

test("TLS has a port of its own, and its files are found from the INI file's folder", () => {
  const { amqp } = queueSettings({ "amqp.ssl": "true", "amqp.ssl_ca": "certs/ca.pem" }, "/etc/app");
  expect([amqp.port, amqp.tls]).toEqual([5671, { ca: "/etc/app/certs/ca.pem", cert: undefined, key: undefined }]);
  expect(queueSettings({ "amqp.ssl": "true", "amqp.port": "5673" }).amqp.port).toBe(5673);
});

test("keys of KMS know three states", () => {
  const keyOf = (raw: Record<string, string>): unknown => queueSettings(raw).sqs.sqsKmsMasterKeyId;
  const key = "aws_sns_sqs.sqs_kms_master_key_id";
  expect([keyOf({}), keyOf({ [key]: "" }), keyOf({ [key]: "false" }), keyOf({ [key]: "alias/x" })]).toEqual([
    undefined,
    null,
    null,
    "alias/x",
  ]);
  expect(queueSettings({ "aws_sns_sqs.sqs_kms_data_key_reuse_period": "5 minutes" }).sqs.sqsKmsReusePeriodSeconds).toBe(300);
});

test("a poll ends before a stop has to: by itself where nobody has said how long it takes, else it is a problem", () => {
  expect(queueSettings({ stop_timeout: "15" }).sqs.waitTimeMs).toBe(10_000);
  expect(queueSettings({ stop_timeout: "3" }).sqs.waitTimeMs).toBe(1000);
  expect(problemOf({ stop_timeout: "15", "aws_sns_sqs.wait_time": "11" })).toContain("aws_sns_sqs.wait_time: expected at most 10 seconds");
  expect(problemOf({ stop_timeout: "15", "aws_sns_sqs.wait_time": "10" })).toBeUndefined();
});

test("what can't be is refused", () => {
  const wrong: Record<string, string> = {
    "amqp.port": "0",
    "amqp.heartbeat": "1.5",
    "amqp.queue_type": "stream",
    "amqp.declare": "on",
    "amqp.qos.queue_prefetch_count": "0",
    "amqp.qos.global_prefetch_count": "400",
    "aws_sns_sqs.visibility_timeout": "13 hours",
    "aws_sns_sqs.wait_time": "21",
    "aws_sns_sqs.polls": "11",
    "aws_sns_sqs.queue_policy": "{",
    "aws_sns_sqs.sqs_kms_data_key_reuse_period": "1 second",
    "aws_endpoint_urls.sqs": "localhost:4566",
    retry_limit: "-1",
    retry_delay: "soon",
    max_message_size: "0",
  };
  for (const [key, value] of Object.entries(wrong)) expect(problemOf({ [key]: value }), key).toContain(`${key}: `);
});
