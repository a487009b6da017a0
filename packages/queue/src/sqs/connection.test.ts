import { expect, test } from "vitest";
import { snsApi, sqsApi } from "./connection.ts";
import type { SnsLibrary, SqsLibrary } from "./library.ts";
import { sqsSettings } from "./settings.ts";

/** What the clients are made with. */
function optionsOf(raw: Record<string, string>): { sqs: Record<string, unknown>; sns: Record<string, unknown> } {
  const made: Record<string, unknown>[] = [];
  const Client = function Client(options: Record<string, unknown>): void {
    made.push(options);
  };
  sqsApi({ SQSClient: Client } as unknown as SqsLibrary, sqsSettings(raw));
  snsApi({ SNSClient: Client } as unknown as SnsLibrary, sqsSettings(raw));
  const [sqs, sns] = made;
  return { sqs: sqs ?? {}, sns: sns ?? {} };
}

test("what is not said is left out, so that the SDK finds it itself", () => {
  const { sqs, sns } = optionsOf({});
  for (const options of [sqs, sns]) for (const key of ["region", "credentials", "endpoint"]) expect(options).not.toHaveProperty(key);
});

test("region, credentials and endpoints are handed on, each to its service", () => {
  const { sqs, sns } = optionsOf({
    "aws_sns_sqs.region_name": "eu-west-1",
    "aws_sns_sqs.aws_access_key_id": "a",
    "aws_sns_sqs.aws_secret_access_key": "s",
    "aws_endpoint_urls.sqs": "http://sqs:1",
    "aws_endpoint_urls.sns": "http://sns:2",
  });
  const credentials = { accessKeyId: "a", secretAccessKey: "s" };
  expect(sqs).toMatchObject({ region: "eu-west-1", credentials, endpoint: "http://sqs:1" });
  expect(sns).toMatchObject({ region: "eu-west-1", credentials, endpoint: "http://sns:2" });
});

test.each([0, 5, 20])("a question that waits %i seconds is given up later than that", (seconds) => {
  const { sqs } = optionsOf({ "aws_sns_sqs.wait_time": String(seconds) });
  const { requestTimeout } = sqs["requestHandler"] as { requestTimeout: number };
  expect(requestTimeout).toBeGreaterThanOrEqual(seconds * 1000 + 5000);
});
