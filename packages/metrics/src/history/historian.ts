import { performance, type EventLoopUtilization } from "node:perf_hooks";
import { getHeapStatistics } from "node:v8";
import { residentMemory, type ActiveRequests, type Meter, type RequestDescription } from "@tsserve/server";
import { eventsName, pointsName, processBase, recordName } from "../file-names.ts";
import type { ProcessIdentity } from "../process-identity.ts";
import { EventFile, maskRequests, type HistoryEvent } from "./events.ts";
import { MeterReader, noFigures, type MeterFigures } from "./meter-figures.ts";
import { PointRing, pointMs, type Point } from "./points.ts";
import { RecordFile, removeOldRecords, type ProcessRecord, type Second } from "./process-record.ts";

/** So many failures in ten seconds, and so large a part of all, are told as a burst. */
const burst = { least: 5, part: 0.05 } as const;
const keptSeconds = 10;
const describedRequests = 20;
/** An idle process has nothing to say that it has not said. */
const idleRecordMs = 10_000;

export interface HistorianOptions {
  readonly meter: Meter;
  readonly requests: Pick<ActiveRequests, "size" | "total" | typeof Symbol.iterator>;
  readonly owner: ProcessIdentity;
  readonly workerIndex: number;
  readonly folder: string;
  /** What the names of the worker's files begin with. */
  readonly base: string;
  /** Takes secrets out of what is kept. */
  mask(text: string): string;
  /** Milliseconds since some instant, by a clock that nobody sets. Default: `performance.now` */
  steadyMs?(): number;
}

/** What there was to be known at one instant. */
interface Moment {
  readonly figures: MeterFigures;
  readonly loop: EventLoopUtilization;
  readonly steadyMs: number;
}

/** Keeps the last hour of this process, where others find it when it has gone. */
export class Historian {
  readonly #options: HistorianOptions;
  readonly #reader: MeterReader;
  readonly #ring: PointRing;
  readonly #events: EventFile;
  readonly #record: RecordFile;
  readonly #seconds: Second[] = [];
  /** At the end of the last point, and of the last second. */
  #atPoint: Moment;
  #atSecond: Moment;
  #worstDelay = 0;
  #recordedAt = 0;
  #recorded = "";
  #errors: ReadonlyMap<string, number> = new Map();

  constructor(options: HistorianOptions, now: number) {
    const { meter, owner, folder, base } = options;
    this.#options = options;
    this.#reader = new MeterReader(meter);
    this.#ring = new PointRing(`${folder}/${pointsName(base)}`);
    this.#events = new EventFile(`${folder}/${eventsName(base)}`, (text) => options.mask(text), now);
    this.#record = new RecordFile(`${folder}/${recordName(processBase(owner))}`);
    this.#atPoint = { figures: noFigures(), loop: performance.eventLoopUtilization(), steadyMs: this.#steadyMs() };
    this.#atSecond = this.#atPoint;
    const text = `worker ${options.workerIndex} (pid ${owner.pid}) serves`;
    whereItCan(() => removeOldRecords(folder, now));
    whereItCan(() => this.add({ at: now, type: "started", pid: owner.pid, text }));
  }

  /** @throws {Error} when it can't be written */
  add(event: HistoryEvent): void {
    this.#events.add(event);
  }

  /** What is in progress, when that has changed; to be called at each beat. @throws {Error} when it can't be written */
  beat(now: number): void {
    const { requests } = this.#options;
    const state = `${requests.size} ${requests.total} ${this.#seconds.at(-1)?.requests ?? 0}`;
    // A clock that was set is a reason to say it again.
    if (requests.size === 0 && state === this.#recorded && Math.abs(now - this.#recordedAt) < idleRecordMs) return;
    this.#recorded = state;
    this.#recordedAt = now;
    this.#record.write(this.#recordOf(now));
  }

  /** To be called once a second, after the gauges have been set. */
  second(now: number): void {
    const figures = this.#reader.read();
    const loop = performance.eventLoopUtilization();
    const before = this.#atSecond;
    this.#atSecond = { figures, loop, steadyMs: this.#steadyMs() };
    this.#worstDelay = Math.max(this.#worstDelay, figures.delay);
    this.#seconds.push({
      at: now,
      requests: figures.requests - before.figures.requests,
      errors: figures.errors - before.figures.errors,
      active: this.#options.requests.size,
      event_loop_utilization: round(performance.eventLoopUtilization(loop, before.loop).utilization),
      memory_bytes: figures.resident,
    });
    if (this.#seconds.length > keptSeconds) this.#seconds.shift();
  }

  /** To be called at each full ten seconds, after `second`. @throws {Error} when it can't be written */
  point(now: number): void {
    const { figures, loop } = this.#atSecond;
    const before = this.#atPoint;
    this.#atPoint = this.#atSecond;
    const delay = this.#worstDelay;
    this.#worstDelay = 0;
    const than = before.figures;
    const point = {
      time: Math.round(now / pointMs) * pointMs,
      pid: this.#options.owner.pid,
      seconds: (this.#atSecond.steadyMs - before.steadyMs) / 1000,
      requests: figures.requests - than.requests,
      errors: figures.errors - than.errors,
      active: this.#options.requests.size,
      connections: figures.connections,
      utilization: performance.eventLoopUtilization(loop, before.loop).utilization,
      delay,
      heapUsed: figures.heapUsed,
      heapLimit: figures.heapLimit,
      resident: figures.resident,
      collections: figures.collections - than.collections,
      messages: figures.messages - than.messages,
      messagesFailed: figures.messagesFailed - than.messagesFailed,
      latency: figures.latency.map((count, bucket) => count - (than.latency[bucket] ?? 0)),
    };
    this.#ring.add(point);
    this.#events.catchUp(now);
    if (point.errors >= burst.least && point.errors >= burst.part * point.requests) this.#tellBurst(now, point);
    else if (point.errors > 0) this.#errors = this.#reader.errorsByEndpoint();
  }

  /** The last words of a process that ends as it should. */
  stop(now: number): void {
    try {
      this.second(now);
      this.point(now);
    } finally {
      this.#record.remove();
    }
  }

  #tellBurst(now: number, { seconds, errors, requests }: Pick<Point, "seconds" | "errors" | "requests">): void {
    const before = this.#errors;
    this.#errors = this.#reader.errorsByEndpoint();
    const worst = [...this.#errors]
      .map(([name, count]) => ({ name, count: count - (before.get(name) ?? 0) }))
      .filter(({ count }) => count > 0)
      .sort((a, b) => b.count - a.count)
      .slice(0, 5);
    const { pid } = this.#options.owner;
    const textOf = (failed: number, all: number): string => `${failed} of ${all} requests of pid ${pid} failed`;
    const details = worst.map(({ name, count }) => `${count} × ${name}`).join("\n");
    const isLonger = this.#events.extend("errors", now - 3 * pointMs, now, (event) => {
      const [, failed = "0", all = "0"] = /^(\d+) of (\d+)/.exec(event.text) ?? [];
      return { ...event, until: now, text: textOf(Number(failed) + errors, Number(all) + requests), details };
    });
    if (!isLonger) this.add({ at: now - seconds * 1000, until: now, type: "errors", pid, text: textOf(errors, requests), details });
  }

  #steadyMs(): number {
    return this.#options.steadyMs?.() ?? performance.now();
  }

  #recordOf(now: number): ProcessRecord {
    const { owner, workerIndex, requests } = this.#options;
    const heap = getHeapStatistics();
    return {
      pid: owner.pid,
      index: workerIndex,
      at: now,
      age_seconds: Math.round(process.uptime()),
      active_requests: requests.size,
      requests: maskRequests(oldest(requests), (text) => this.#options.mask(text)),
      heap_used_bytes: heap.used_heap_size,
      heap_limit_bytes: heap.heap_size_limit,
      memory_bytes: residentMemory(),
      seconds: this.#seconds,
    };
  }
}

/** The youngest come first: only the last ones are described. */
function oldest(requests: HistorianOptions["requests"]): RequestDescription[] {
  const last: { describe(): RequestDescription }[] = [];
  let n = 0;
  for (const request of requests) last[n++ % describedRequests] = request;
  return last.map((request) => request.describe()).sort((a, b) => b.ageMs - a.ageMs);
}

function round(part: number): number {
  return Math.round(part * 1000) / 1000;
}

/** A disk that is full now has room later: what can't be written is kept until then, and told of by what is written all the time. */
function whereItCan(write: () => void): void {
  try {
    write();
  } catch {
    // It is told elsewhere.
  }
}
