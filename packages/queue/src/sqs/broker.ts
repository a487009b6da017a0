import type { Logger } from "pino";
import type { Broker, Sink, Subscription } from "../broker.ts";
import type { ConsumerDefinition } from "../consumer-definition.ts";
import { awsOpeners, type AwsOpeners, type SnsApi, type SqsApi } from "./connection.ts";
import type { SqsSettings } from "./settings.ts";
import { SqsSubscription } from "./subscription.ts";

/** SQS, fed by SNS where a consumer has topics. */
export class SqsBroker implements Broker {
  readonly #settings: SqsSettings;
  readonly #log: Logger;
  readonly #open: AwsOpeners;
  #sqs: SqsApi | undefined;
  #sns: SnsApi | undefined;

  /** @param open the clients, when they are needed first */
  constructor(settings: SqsSettings, log: Logger, open: AwsOpeners = awsOpeners) {
    this.#open = open;
    this.#settings = settings;
    this.#log = log;
  }

  async prepare(consumer: string): Promise<void> {
    this.#sqs ??= await this.#open.sqs(`consumer "${consumer}"`, this.#settings);
  }

  subscribe(consumer: ConsumerDefinition, sink: Sink): Subscription {
    const { source } = consumer;
    if (source.system !== "aws_sqs") throw new TypeError("expected a consumer of SQS");
    const sns = async (): Promise<SnsApi> => (this.#sns ??= await this.#open.sns(`consumer "${consumer.name}"`, this.#settings));
    return new SqsSubscription(consumer, source, sink, { settings: this.#settings, sqs: this.#sqs as SqsApi, sns, log: this.#log });
  }

  close(): Promise<void> {
    this.#sqs?.client.destroy();
    this.#sns?.client.destroy();
    return Promise.resolve();
  }
}
