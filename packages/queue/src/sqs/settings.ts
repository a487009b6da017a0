import {
  ConfigurationError,
  integerFrom,
  optionalSetting,
  parseConfig,
  setting,
  string,
  timespanOrSeconds,
  tristate,
  type Parser,
  type Reader,
} from "@tsserve/config";

type SqsSpec = {
  readonly region_name: Reader<string | undefined>;
  readonly aws_access_key_id: Reader<string | undefined>;
  readonly aws_secret_access_key: Reader<string | undefined>;
  readonly aws_session_token: Reader<string | undefined>;
  readonly topic_prefix: Reader<string | undefined>;
  readonly queue_name_prefix: Reader<string | undefined>;
  readonly sns_kms_master_key_id: Reader<string | null | undefined>;
  readonly sqs_kms_master_key_id: Reader<string | null | undefined>;
  readonly sqs_kms_data_key_reuse_period: Reader<number | null | undefined>;
  readonly queue_policy: Reader<string | undefined>;
  readonly wildcard_queue_policy: Reader<string | undefined>;
  readonly visibility_timeout: Reader<number | undefined>;
  readonly wait_time: Reader<number>;
  readonly polls: Reader<number | undefined>;
};

type EndpointSpec = {
  readonly sns: Reader<string | undefined>;
  readonly sqs: Reader<string | undefined>;
  readonly sts: Reader<string | undefined>;
};

/** Limits of SQS (docs.aws.amazon.com/AWSSimpleQueueService, "message quotas"). */
export const longestVisibilityMs = 43_200_000;
const longestWaitMs = 20_000;

const visibility: Parser<number> = (text) => {
  const ms = timespanOrSeconds(text);
  if (ms % 1000 !== 0 || ms < 1000 || ms > longestVisibilityMs) throw new Error("expected whole seconds, from 1 second to 12 hours");
  return ms;
};

const waitTime: Parser<number> = (text) => {
  const ms = timespanOrSeconds(text);
  if (ms % 1000 !== 0 || ms > longestWaitMs) throw new Error("expected whole seconds, at most 20");
  return ms;
};

const polls = integerFrom("a number", 1, 10);

const reusePeriod: Parser<number> = (text) => {
  const seconds = timespanOrSeconds(text) / 1000;
  if (!Number.isInteger(seconds) || seconds < 60 || seconds > 86_400) throw new Error("expected whole seconds, from 1 minute to 1 day");
  return seconds;
};

const policy: Parser<string> = (text) => {
  try {
    JSON.parse(text);
  } catch {
    throw new Error("expected a policy in JSON");
  }
  return text;
};

const url: Parser<string> = (text) => {
  if (!/^https?:\/\//.test(text) || !URL.canParse(text)) throw new Error("expected a URL such as http://localhost:4566");
  return text;
};

/** The keys below `aws_sns_sqs`, in `[server:…]` for consumers, in `[app:…]` for a publisher. */
export const sqsSpec: SqsSpec = {
  region_name: optionalSetting(string, "AWS's region. Default: as the SDK finds it, in `AWS_REGION` for one."),
  aws_access_key_id: optionalSetting(
    string,
    "An access key. Default: as the SDK finds credentials: environment, profile, role of the machine or the pod.",
  ),
  aws_secret_access_key: optionalSetting(string, "The secret of `aws_sns_sqs.aws_access_key_id`."),
  aws_session_token: optionalSetting(string, "The token that goes with temporary keys."),
  topic_prefix: optionalSetting(string, "Put before every topic's name."),
  queue_name_prefix: optionalSetting(string, "Put before every queue's name."),
  sns_kms_master_key_id: optionalSetting(
    tristate(string),
    "The key that topics are encrypted with. Absent, they are left as they are; empty, or `false`, it is removed.",
  ),
  sqs_kms_master_key_id: optionalSetting(
    tristate(string),
    "The key that queues are encrypted with. Absent, they are left as they are; empty, or `false`, it is removed.",
  ),
  sqs_kms_data_key_reuse_period: optionalSetting(
    tristate(reusePeriod),
    "How long a queue uses a data key. Absent, it is left as it is; empty, or `false`, it is AWS's default again, 5 minutes.",
  ),
  queue_policy: optionalSetting(policy, "The policy of queues that are made here, in JSON. Default: one that lets their topics send."),
  wildcard_queue_policy: optionalSetting(policy, "The same for queues whose topics have a `*`."),
  visibility_timeout: optionalSetting(
    visibility,
    "For how long a message that was received is invisible to others, 1 second to 12 hours; prolonged while it is handled. Written here it is set on the queues, else theirs is used.",
  ),
  wait_time: setting(
    waitTime,
    "20 seconds",
    "How long one question to SQS waits for messages, at most 20 seconds. A stop waits as long for an open one: below `stop_timeout` by 5 seconds.",
  ),
  polls: optionalSetting(polls, "How many questions a consumer has open at once. Default: 1, or 2 when its concurrency is above 10."),
};

/** The keys below `aws_endpoint_urls`: another AWS, an emulator for one. */
export const endpointSpec: EndpointSpec = {
  sns: optionalSetting(url, "Where SNS is, when it is not AWS's."),
  sqs: optionalSetting(url, "Where SQS is, when it is not AWS's."),
  sts: optionalSetting(url, "Known for tomodachi's sake; nothing is asked of STS."),
};

export interface SqsSettings {
  /** Of the INI file: from where the app's own copy of AWS's SDK is found. */
  readonly folder: string;
  readonly region: string | undefined;
  /** `undefined`: the SDK's own chain. */
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string } | undefined;
  readonly topicPrefix: string;
  readonly queueNamePrefix: string;
  /** `undefined` leaves it alone, `null` removes it. */
  readonly snsKmsMasterKeyId: string | null | undefined;
  readonly sqsKmsMasterKeyId: string | null | undefined;
  readonly sqsKmsReusePeriodSeconds: number | null | undefined;
  readonly queuePolicy: string | undefined;
  readonly wildcardQueuePolicy: string | undefined;
  readonly visibilityTimeoutMs: number | undefined;
  readonly waitTimeMs: number;
  readonly polls: number | undefined;
  readonly endpoints: { readonly sns: string | undefined; readonly sqs: string | undefined };
}

const credentialKeys = ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"] as const;

/** Half of them would silently be none: what the SDK finds elsewhere may be somebody else. @throws {ConfigurationError} */
function checkCredentials(aws: Readonly<Record<(typeof credentialKeys)[number], string | undefined>>): void {
  const needed = ["aws_access_key_id", "aws_secret_access_key"] as const;
  if (credentialKeys.every((key) => aws[key] === undefined)) return;
  const missing = needed.filter((key) => aws[key] === undefined);
  const message = `is needed, too: ${credentialKeys.filter((key) => aws[key] !== undefined).join(" and ")} is set`;
  if (missing.length > 0) throw new ConfigurationError(missing.map((key) => ({ key: `aws_sns_sqs.${key}`, message, value: undefined })));
}

/** @throws {ConfigurationError} */
export function sqsSettings(raw: Readonly<Record<string, string>>, folder: string = process.cwd()): SqsSettings {
  const { aws_sns_sqs: aws, aws_endpoint_urls: endpoints } = parseConfig(raw, { aws_sns_sqs: sqsSpec, aws_endpoint_urls: endpointSpec });
  const { aws_access_key_id: accessKeyId, aws_secret_access_key: secretAccessKey, aws_session_token: sessionToken } = aws;
  checkCredentials(aws);
  return {
    folder,
    region: aws.region_name,
    credentials:
      accessKeyId === undefined || secretAccessKey === undefined
        ? undefined
        : { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) },
    topicPrefix: aws.topic_prefix ?? "",
    queueNamePrefix: aws.queue_name_prefix ?? "",
    snsKmsMasterKeyId: aws.sns_kms_master_key_id,
    sqsKmsMasterKeyId: aws.sqs_kms_master_key_id,
    sqsKmsReusePeriodSeconds: aws.sqs_kms_data_key_reuse_period,
    queuePolicy: aws.queue_policy,
    wildcardQueuePolicy: aws.wildcard_queue_policy,
    visibilityTimeoutMs: aws.visibility_timeout,
    waitTimeMs: aws.wait_time,
    polls: aws.polls,
    endpoints: { sns: endpoints.sns, sqs: endpoints.sqs },
  };
}
