import type { QueueTrigger } from "@tsserve/deploy";
import type { OptionValues } from "../options.ts";
import { UsageError } from "../usage-error.ts";
import type { Host } from "../host.ts";
import { withApplication } from "../with-application.ts";

/**
 * The queues that the app's consumers read, which only the app knows: it is made, and not served.
 *
 * @throws {UsageError} when there is none
 */
export async function queuesOf(host: Host, positionals: readonly string[], values: OptionValues): Promise<QueueTrigger[]> {
  let queues: QueueTrigger[] = [];
  await withApplication(host, positionals, values, async (application) => {
    const { app } = (await application.makeApp(await application.loadFactory())) as { app: { consumers?: unknown } };
    queues = (Array.isArray(app.consumers) ? (app.consumers as Consumer[]) : []).flatMap((consumer) => queueOf(consumer));
  });
  if (queues.length === 0) throw new UsageError("--hpa keda: the app has no consumer with a queue that has a name");
  return queues;
}

interface Consumer {
  readonly amqp?: { readonly queue?: unknown };
  readonly sqs?: { readonly queue?: unknown };
}

function queueOf({ amqp, sqs }: Consumer): QueueTrigger[] {
  if (typeof amqp?.queue === "string") return [{ system: "rabbitmq", queue: amqp.queue }];
  if (typeof sqs?.queue === "string") return [{ system: "aws_sqs", queue: sqs.queue }];
  return [];
}
