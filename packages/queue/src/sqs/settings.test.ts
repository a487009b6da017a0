import { isConfigurationError } from "@tsserve/config";
import { expect, test } from "vitest";
import { sqsSettings } from "./settings.ts";

const aws = (raw: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(raw).map(([key, value]) => [`aws_sns_sqs.${key}`, value]));

test("what is not said is left to AWS and its SDK", () => {
  expect(sqsSettings({})).toMatchObject({
    region: undefined,
    credentials: undefined,
    topicPrefix: "",
    queueNamePrefix: "",
    snsKmsMasterKeyId: undefined,
    sqsKmsMasterKeyId: undefined,
    sqsKmsReusePeriodSeconds: undefined,
    visibilityTimeoutMs: undefined,
    waitTimeMs: 20_000,
    polls: undefined,
    endpoints: { sns: undefined, sqs: undefined },
  });
});

test.each<[Record<string, string>, object]>([
  [{ aws_access_key_id: "a", aws_secret_access_key: "s" }, { credentials: { accessKeyId: "a", secretAccessKey: "s" } }],
  [
    { aws_access_key_id: "a", aws_secret_access_key: "s", aws_session_token: "t" },
    { credentials: { accessKeyId: "a", secretAccessKey: "s", sessionToken: "t" } },
  ],
  [{ sqs_kms_master_key_id: "" }, { sqsKmsMasterKeyId: null }],
  [{ sqs_kms_master_key_id: "false" }, { sqsKmsMasterKeyId: null }],
  [{ sns_kms_master_key_id: "key" }, { snsKmsMasterKeyId: "key" }],
  [{ sqs_kms_data_key_reuse_period: "" }, { sqsKmsReusePeriodSeconds: null }],
  [{ sqs_kms_data_key_reuse_period: "5 minutes" }, { sqsKmsReusePeriodSeconds: 300 }],
  [{ visibility_timeout: "12 hours" }, { visibilityTimeoutMs: 43_200_000 }],
  [{ wait_time: "0" }, { waitTimeMs: 0 }],
  [{ polls: "10" }, { polls: 10 }],
  [{ queue_policy: '{"a":1}' }, { queuePolicy: '{"a":1}' }],
  [
    { region_name: "eu-west-1", topic_prefix: "t-", queue_name_prefix: "q-" },
    { region: "eu-west-1", topicPrefix: "t-", queueNamePrefix: "q-" },
  ],
])("%j", (raw, expected) => expect(sqsSettings(aws(raw))).toMatchObject(expected));

test.each([
  [{ aws_access_key_id: "a" }, ["aws_sns_sqs.aws_secret_access_key"]],
  [{ aws_secret_access_key: "s" }, ["aws_sns_sqs.aws_access_key_id"]],
  [{ aws_session_token: "t" }, ["aws_sns_sqs.aws_access_key_id", "aws_sns_sqs.aws_secret_access_key"]],
])("half of the credentials is none: %j", (raw, missing) => {
  let thrown: unknown;
  try {
    sqsSettings(aws(raw));
  } catch (error) {
    thrown = error;
  }
  expect(isConfigurationError(thrown) ? thrown.problems.map(({ key }) => key) : thrown).toEqual(missing);
});

test("another AWS", () => {
  const endpoints = { "aws_endpoint_urls.sqs": "http://localhost:4566", "aws_endpoint_urls.sns": "https://sns.example.org" };
  expect(sqsSettings(endpoints).endpoints).toEqual({ sqs: "http://localhost:4566", sns: "https://sns.example.org" });
});

test.each([
  ["aws_sns_sqs.visibility_timeout", "0"],
  ["aws_sns_sqs.visibility_timeout", "1.5 seconds"],
  ["aws_sns_sqs.visibility_timeout", "13 hours"],
  ["aws_sns_sqs.wait_time", "21"],
  ["aws_sns_sqs.wait_time", "100 milliseconds"],
  ["aws_sns_sqs.polls", "0"],
  ["aws_sns_sqs.polls", "11"],
  ["aws_sns_sqs.polls", "two"],
  ["aws_sns_sqs.sqs_kms_data_key_reuse_period", "30 seconds"],
  ["aws_sns_sqs.sqs_kms_data_key_reuse_period", "2 days"],
  ["aws_sns_sqs.queue_policy", "allow all"],
  ["aws_sns_sqs.wildcard_queue_policy", "{"],
  ["aws_endpoint_urls.sqs", "localhost:4566"],
  ["aws_endpoint_urls.sns", "ftp://x"],
])("%s = %s is refused at its place", (key, value) => {
  let thrown: unknown;
  try {
    sqsSettings({ [key]: value });
  } catch (error) {
    thrown = error;
  }
  expect(isConfigurationError(thrown) ? thrown.problems.map((problem) => problem.key) : thrown).toEqual([key]);
});
