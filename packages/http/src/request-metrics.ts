import { METHODS } from "node:http";
import { hostname } from "node:os";
import {
  gaugeActive,
  latencyBuckets,
  sizeBuckets,
  type ActiveRequests,
  type Meter,
  type MeterCounter,
  type MeterHistogram,
} from "@tsserve/server";
import { bodyBytesOf } from "./body-bytes.ts";
import type { RejectionReason } from "./refusal.ts";
import type { EndReason } from "./connection.ts";
import { HttpRequest, patternOf } from "./http-request.ts";

const total = { name: "http_server_requests_total", help: "Requests that are over.", type: "counter" } as const;
const latency = {
  name: "http_server_latency_seconds",
  help: "From a request's head to the end of its answer.",
  type: "histogram",
  buckets: latencyBuckets,
} as const;
const requestSize = {
  name: "http_server_request_size_bytes",
  help: "Bodies of requests.",
  type: "histogram",
  buckets: sizeBuckets,
} as const;
const responseSize = {
  name: "http_server_response_size_bytes",
  help: "Bodies of answers.",
  type: "histogram",
  buckets: sizeBuckets,
} as const;
const rejected = {
  name: "http_server_rejected_requests_total",
  help: "What clients sent, or did not send in time, and the server answered by itself, by what was wrong with it.",
  type: "counter",
} as const;
const closed = {
  name: "http_server_connections_closed_total",
  help: "Connections that were served and have ended, by why.",
  type: "counter",
} as const;
const openUpgrades = {
  name: "http_server_open_upgrades",
  help: "Connections that have become another protocol's, such as WebSockets.",
  type: "gauge",
} as const;
const active = { name: "http_server_active_requests", help: "Requests in progress.", type: "gauge" } as const;

/** What was answered to a request whose client had gone before: nginx's word for it. */
const clientGone = 499;

interface Sizes {
  readonly latency: MeterHistogram;
  readonly requestSize: MeterHistogram;
  readonly responseSize: MeterHistogram;
}

/** What is counted for one method of one endpoint. */
interface Endpoint {
  readonly method: string;
  readonly pattern: string;
  readonly codes: Map<number, MeterCounter>;
  /** Of `codes`, what was counted last. */
  latestCode: number;
  latestCounter: MeterCounter | undefined;
  succeeded: Sizes | undefined;
  failed: Sizes | undefined;
}

/** Counts requests that are over, by what they were for and what became of them. */
export class RequestMetrics {
  readonly #meter: Meter;
  readonly #rejected = new Map<RejectionReason, MeterCounter>();
  readonly #closed = new Map<EndReason, MeterCounter>();
  readonly #endpoints = new Map<string, Map<string, Endpoint>>();
  #latest: Endpoint | undefined;

  constructor(meter: Meter, requests: ActiveRequests, upgrades: () => number) {
    this.#meter = meter;
    const open = meter.gauge(openUpgrades, { hostname: hostname(), pid: String(process.pid) });
    meter.onSample(() => open.set(upgrades()));
    gaugeActive(meter, active, requests, (request) =>
      request instanceof HttpRequest ? { http_method: methodOf(request), http_endpoint: patternOf(request) ?? "*" } : undefined,
    );
  }

  ended(request: HttpRequest, endedAt: number): void {
    const { response, connection } = request;
    const status = request.status ?? clientGone;
    const endpoint = this.#endpointOf(methodOf(request), patternOf(request) ?? (status === 404 ? "404" : "*"));
    let counter = endpoint.latestCode === status ? endpoint.latestCounter : endpoint.codes.get(status);
    if (counter === undefined) {
      counter = this.#meter.counter(total, {
        http_method: endpoint.method,
        http_endpoint: endpoint.pattern,
        http_success: String(isSuccess(status)),
        http_response_code: String(status),
      });
      endpoint.codes.set(status, counter);
    }
    endpoint.latestCode = status;
    endpoint.latestCounter = counter;
    counter.add(1);
    const sizes = isSuccess(status)
      ? (endpoint.succeeded ??= this.#sizesOf(endpoint, true))
      : (endpoint.failed ??= this.#sizesOf(endpoint, false));
    sizes.latency.observe((endedAt - request.startedAt) / 1000);
    sizes.requestSize.observe(request.bodyBytes);
    sizes.responseSize.observe(response === undefined ? 0 : bodyBytesOf(response, connection.lastAnswerBytes));
  }

  rejected(reason: RejectionReason): void {
    let counter = this.#rejected.get(reason);
    if (counter === undefined) {
      counter = this.#meter.counter(rejected, { reason });
      this.#rejected.set(reason, counter);
    }
    counter.add(1);
  }

  closed(reason: EndReason): void {
    let counter = this.#closed.get(reason);
    if (counter === undefined) {
      counter = this.#meter.counter(closed, { reason });
      this.#closed.set(reason, counter);
    }
    counter.add(1);
  }

  #endpointOf(method: string, pattern: string): Endpoint {
    // As a rule a request is for what the one before was for.
    const latest = this.#latest;
    if (latest !== undefined && latest.pattern === pattern && latest.method === method) return latest;
    let methods = this.#endpoints.get(pattern);
    if (methods === undefined) {
      methods = new Map();
      this.#endpoints.set(pattern, methods);
    }
    let endpoint = methods.get(method);
    if (endpoint === undefined) {
      endpoint = { method, pattern, codes: new Map(), latestCode: 0, latestCounter: undefined, succeeded: undefined, failed: undefined };
      methods.set(method, endpoint);
    }
    this.#latest = endpoint;
    return endpoint;
  }

  #sizesOf({ method, pattern }: Endpoint, success: boolean): Sizes {
    const labels = { http_method: method, http_endpoint: pattern, http_success: String(success) };
    return {
      latency: this.#meter.histogram(latency, labels),
      requestSize: this.#meter.histogram(requestSize, labels),
      responseSize: this.#meter.histogram(responseSize, labels),
    };
  }
}

const lowerCase: ReadonlyMap<string, string> = new Map(METHODS.map((method) => [method, method.toLowerCase()]));

/**
 * In lower case, as baseplate.py has it. Over HTTP/1 Node knows some forty methods, and refuses all others; over HTTP/2 a client may make up
 * as many as it likes, each of which would be a series for good.
 */
function methodOf({ incoming }: HttpRequest): string {
  return lowerCase.get(incoming.method ?? "") ?? "other";
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 400;
}
