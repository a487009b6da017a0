import { gaugeActive, latencyBuckets, type ActiveRequests, type Meter, type MeterCounter, type MeterHistogram } from "@tsserve/server";
import type { Outcome } from "./outcome.ts";
import { ThriftRequest } from "./thrift-request.ts";

const total = { name: "thrift_server_requests_total", help: "Requests that are over.", type: "counter" } as const;
const latency = {
  name: "thrift_server_latency_seconds",
  help: "From a whole message to the end of its answer.",
  type: "histogram",
  buckets: latencyBuckets,
} as const;
const active = { name: "thrift_server_active_requests", help: "Requests in progress.", type: "gauge" } as const;

interface Method {
  readonly name: string;
  readonly outcomes: Map<string, MeterCounter>;
  succeeded: { readonly total: MeterCounter; readonly latency: MeterHistogram } | undefined;
  failed: MeterHistogram | undefined;
}

/** Counts requests that are over, by method and outcome. */
export class RequestMetrics {
  readonly #meter: Meter;
  readonly #methods = new Map<string, Method>();

  constructor(meter: Meter, requests: ActiveRequests) {
    this.#meter = meter;
    gaugeActive(meter, active, requests, (request) => (request instanceof ThriftRequest ? { thrift_method: nameOf(request) } : undefined));
  }

  ended(request: ThriftRequest, outcome: Outcome): void {
    const name = nameOf(request);
    let method = this.#methods.get(name);
    if (method === undefined) {
      method = { name, outcomes: new Map(), succeeded: undefined, failed: undefined };
      this.#methods.set(name, method);
    }
    const seconds = (performance.now() - request.startedAt) / 1000;
    if (outcome.success) {
      method.succeeded ??= { total: this.#totalOf(name, outcome), latency: this.#latencyOf(name, true) };
      method.succeeded.total.add(1);
      method.succeeded.latency.observe(seconds);
      return;
    }
    const key = `${outcome.exceptionType} ${outcome.statusCode}`;
    let counter = method.outcomes.get(key);
    if (counter === undefined) {
      counter = this.#totalOf(name, outcome);
      method.outcomes.set(key, counter);
    }
    counter.add(1);
    method.failed ??= this.#latencyOf(name, false);
    method.failed.observe(seconds);
  }

  #totalOf(name: string, { success, exceptionType, status, statusCode }: Outcome): MeterCounter {
    return this.#meter.counter(total, {
      thrift_method: name,
      thrift_success: String(success),
      thrift_exception_type: exceptionType,
      thrift_baseplate_status: status,
      thrift_baseplate_status_code: statusCode,
    });
  }

  #latencyOf(name: string, success: boolean): MeterHistogram {
    return this.#meter.histogram(latency, { thrift_method: name, thrift_success: String(success) });
  }
}

/** What clients make up shares one value. */
function nameOf({ bound }: ThriftRequest): string {
  return bound.isUnknown === true ? "unknown" : bound.name;
}
