import { BrokerError } from "../outcome-errors.ts";

const refusals: ReadonlySet<string> = new Set([
  "AccessDenied",
  "AccessDeniedException",
  "AuthFailure",
  "AuthorizationError",
  "InvalidClientTokenId",
  "InvalidAccessKeyId",
  "SignatureDoesNotMatch",
  "UnrecognizedClientException",
  "IncompleteSignature",
  "ExpiredToken",
  "ExpiredTokenException",
  "KmsAccessDenied",
]);

/** The name of an error of AWS, without the prefix that some have. */
export function errorName(error: unknown): string {
  return error instanceof Error ? error.name.replace(/^.*[.#]/, "") : "";
}

export function isMissingQueue(error: unknown): boolean {
  return ["QueueDoesNotExist", "NonExistentQueue", "AWS.SimpleQueueService.NonExistentQueue"].includes(errorName(error));
}

/** What AWS, or the way to it, does not let us do, in words for whoever runs the server. */
export function explainError(error: unknown, what: string): BrokerError {
  if (error instanceof BrokerError) return error;
  const name = errorName(error);
  const text = error instanceof Error ? error.message || name : String(error);
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (name === "CredentialsProviderError" || /Could not load credentials/.test(text))
    return new BrokerError(
      "refused",
      `${what}: AWS's SDK finds no credentials; it looks into the environment, the profile and the role of the machine or the pod, or set aws_sns_sqs.aws_access_key_id`,
      { isPermanent: true, cause: error },
    );
  if (/Region is missing/.test(text))
    return new BrokerError("refused", `${what}: AWS's region is not known: set aws_sns_sqs.region_name, or AWS_REGION`, {
      isPermanent: true,
      cause: error,
    });
  if (refusals.has(name))
    return new BrokerError("refused", `${what}: AWS refuses it: ${name}: ${text}`, { isPermanent: true, cause: error });
  if (isMissingQueue(error)) return new BrokerError("topology", `${what}: the queue does not exist`, { cause: error });
  if (["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "ECONNRESET", "EHOSTUNREACH"].includes(code))
    return new BrokerError("unreachable", `${what}: AWS is not reached (${code})`, { cause: error });
  if (name === "TimeoutError") return new BrokerError("timeout", `${what}: no answer in time`, { cause: error });
  const isPermanent = /^(?:InvalidAttribute|InvalidParameter|UnsupportedOperation|QueueNameExists|InvalidAddress)/.test(name);
  return new BrokerError(isPermanent ? "topology" : "unreachable", `${what}: ${name}: ${text}`, { isPermanent, cause: error });
}
