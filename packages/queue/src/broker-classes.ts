import type { Logger } from "pino";
import { AmqpBroker as Amqp } from "./amqp/broker.ts";
import type { AmqpSettings } from "./amqp/settings.ts";
import type { Broker } from "./broker.ts";
import { SqsBroker as Sqs } from "./sqs/broker.ts";
import type { SqsSettings } from "./sqs/settings.ts";

/**
 * A class of brokers as others see it. The classes' own declarations name types of amqplib and of AWS's SDK, which need not be installed:
 * a compiler that checks the declarations of packages (`skipLibCheck: false`) would refuse every program that imports this package.
 */
export type BrokerClass<Settings> = new (settings: Settings, log: Logger) => Broker;

export const AmqpBroker: BrokerClass<AmqpSettings> = Amqp;
export const SqsBroker: BrokerClass<SqsSettings> = Sqs;
