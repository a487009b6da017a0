import { expect, test } from "vitest";
import { BrokerError } from "../outcome-errors.ts";
import { errorName, explainError, isMissingQueue } from "./explain-error.ts";
import { awsError } from "./fake-aws.ts";

test.each<[Error | string | null, string, boolean, RegExp]>([
  [
    awsError("CredentialsProviderError", "Could not load credentials from any providers"),
    "refused",
    true,
    /finds no credentials.*aws_access_key_id/,
  ],
  [new Error("Region is missing"), "refused", true, /aws_sns_sqs\.region_name/],
  [awsError("AccessDenied", "no"), "refused", true, /AWS refuses it: AccessDenied: no/],
  [awsError("com.amazonaws.sqs#AccessDeniedException"), "refused", true, /AWS refuses it: AccessDeniedException/],
  [awsError("InvalidClientTokenId"), "refused", true, /InvalidClientTokenId/],
  [awsError("SignatureDoesNotMatch"), "refused", true, /SignatureDoesNotMatch/],
  [awsError("ExpiredToken"), "refused", true, /ExpiredToken/],
  [awsError("QueueDoesNotExist"), "topology", false, /the queue does not exist/],
  [awsError("AWS.SimpleQueueService.NonExistentQueue"), "topology", false, /the queue does not exist/],
  [awsError("Error", "connect", "ECONNREFUSED"), "unreachable", false, /not reached \(ECONNREFUSED\)/],
  [awsError("Error", "getaddrinfo", "ENOTFOUND"), "unreachable", false, /not reached \(ENOTFOUND\)/],
  [awsError("TimeoutError"), "timeout", false, /no answer in time/],
  [awsError("InvalidParameterValue", "name"), "topology", true, /InvalidParameterValue: name/],
  [awsError("QueueNameExists", "other attributes"), "topology", true, /QueueNameExists/],
  [awsError("InternalFailure", "oh"), "unreachable", false, /InternalFailure: oh/],
  [awsError("ThrottlingException", "slow down"), "unreachable", false, /slow down/],
  ["a text", "unreachable", false, /a text/],
  [null, "unreachable", false, /null/],
])("%s", (error, reason, isPermanent, message) => {
  const explained = explainError(error, 'the queue "q"');
  expect(explained).toMatchObject({ reason, isPermanent, cause: error });
  expect(explained.message).toMatch(/^the queue "q": /);
  expect(explained.message).toMatch(message);
});

test("what is explained already stays as it is", () => {
  const error = new BrokerError("library", "npm install");
  expect(explainError(error, "anything")).toBe(error);
});

test("names are known with and without AWS's prefixes", () => {
  expect([errorName(awsError("a.b#C")), errorName("text"), errorName(awsError("D"))]).toEqual(["C", "", "D"]);
  expect([isMissingQueue(awsError("x#QueueDoesNotExist")), isMissingQueue(awsError("AccessDenied"))]).toEqual([true, false]);
});
