import type { AppContext } from "@tsserve/server";
import { PublishError } from "./publish-error.ts";

/** What became of a message that was published: it was taken, or the code of its `PublishError` in lower case. */
type PublishOutcome = "sent" | "no_route" | "nack" | "timeout" | "lost" | "unavailable" | "refused";

const name = "queue_publisher_messages_total";
const help = "Messages that were published, by what became of them.";

interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  value: number;
}

/** What prom-client's registry, of whichever version, asks of a metric. */
interface RegisteredMetric {
  readonly name: string;
  readonly samples: Map<string, Sample>;
  get(): Promise<object>;
  reset(): void;
}

type Registry = AppContext["metrics"];

/**
 * Counts what is published, on the registry that is exported for the app: a publisher belongs to an app, not to a server.
 * One counter for all publishers of a process.
 *
 * @param metrics `context.metrics`; without it nothing is counted
 */
export function publisherCounter(
  metrics: Registry | undefined,
): (system: string, destination: string, outcome: PublishOutcome, count?: number) => void {
  if (metrics === undefined) return () => undefined;
  const { samples } = (metrics.getSingleMetric(name) as unknown as RegisteredMetric | undefined) ?? register(metrics);
  return (system, destination, outcome, count = 1) => {
    const key = `${system}\n${destination}\n${outcome}`;
    let sample = samples.get(key);
    if (sample === undefined) {
      sample = { labels: { queue_system: system, queue_name: destination, queue_outcome: outcome }, value: 0 };
      samples.set(key, sample);
    }
    sample.value += count;
  };
}

/** An object that is a counter: the class of prom-client is the app's, and need not be loaded for it. */
function register(metrics: Registry): RegisteredMetric {
  const samples = new Map<string, Sample>();
  const metric: RegisteredMetric = {
    name,
    samples,
    get: () =>
      Promise.resolve({ name, help, type: "counter", aggregator: "sum", values: [...samples.values()].map((each) => ({ ...each })) }),
    reset: () => samples.clear(),
  };
  metrics.registerMetric(metric as never);
  return metric;
}

/** What an attempt to publish came to. */
export function outcomeOf(error: unknown): PublishOutcome {
  return error instanceof PublishError ? (error.code.toLowerCase() as PublishOutcome) : "refused";
}
