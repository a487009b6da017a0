import type { SNSClient } from "@aws-sdk/client-sns";
import type { SQSClient } from "@aws-sdk/client-sqs";
import { loadSns, loadSqs, type SnsLibrary, type SqsLibrary } from "./library.ts";
import type { SqsSettings } from "./settings.ts";

const connectionTimeoutMs = 5000;
/** An answer to a long poll that comes after we have given it up has made its messages invisible: we wait for much longer. */
const marginMs = 15_000;

export interface SqsApi {
  readonly library: SqsLibrary;
  readonly client: SQSClient;
}

export interface SnsApi {
  readonly library: SnsLibrary;
  readonly client: SNSClient;
}

/** A client of SQS. Connects to nothing by itself. */
export function sqsApi(library: SqsLibrary, settings: SqsSettings): SqsApi {
  return { library, client: new library.SQSClient({ ...clientOptions(settings, settings.endpoints.sqs), useQueueUrlAsEndpoint: false }) };
}

export function snsApi(library: SnsLibrary, settings: SqsSettings): SnsApi {
  return { library, client: new library.SNSClient(clientOptions(settings, settings.endpoints.sns)) };
}

/** Makes the clients; what they are made of is loaded then. */
export interface AwsOpeners {
  /** @throws {BrokerError} `library`, with what to install for whom */
  sqs(neededBy: string, settings: SqsSettings): Promise<SqsApi>;
  sns(neededBy: string, settings: SqsSettings): Promise<SnsApi>;
}

export const awsOpeners: AwsOpeners = {
  sqs: async (neededBy, settings) => sqsApi(loadSqs(neededBy, settings.folder), settings),
  sns: async (neededBy, settings) => snsApi(loadSns(neededBy, settings.folder), settings),
};

function clientOptions({ region, credentials, waitTimeMs }: SqsSettings, endpoint: string | undefined): object {
  return {
    ...(region === undefined ? {} : { region }),
    ...(credentials === undefined ? {} : { credentials }),
    ...(endpoint === undefined ? {} : { endpoint }),
    requestHandler: { connectionTimeout: connectionTimeoutMs, requestTimeout: waitTimeMs + marginMs },
  };
}
