import { readdirSync } from "node:fs";
import { latencyBuckets } from "@tsserve/server";
import { parseFileName } from "../file-names.ts";
import { readEvents, type HistoryEvent } from "./events.ts";
import { pointMs, readPoints, type Point } from "./points.ts";
import { readDeadRecords, type ProcessRecord } from "./process-record.ts";
import { readFleetReport } from "./fleet-report.ts";
import { quantileOf } from "./quantile.ts";
import { pause } from "../pause.ts";

const historyMs = 3_600_000;

/** What all processes did in ten seconds. */
export interface HistoryPoint {
  /** The end of the ten seconds, in milliseconds since 1970. */
  readonly time: number;
  readonly workers: number;
  readonly requests_per_second: number;
  readonly errors_per_second: number;
  readonly messages_per_second: number;
  readonly messages_failed_per_second: number;
  /** Seconds; `null` where there was no request. */
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
  readonly active_requests: number;
  readonly open_connections: number;
  /** 0 to 1: the mean of the workers, and the busiest one. */
  readonly event_loop_utilization: number;
  readonly busiest_event_loop: number;
  /** Seconds: of the worst worker. */
  readonly event_loop_delay: number;
  readonly heap_used_bytes: number;
  /** The fullest heap, as a part of its limit. */
  readonly fullest_heap: number;
  readonly memory_bytes: number;
  readonly collections_per_second: number;
}

/** The last hour of all processes. */
export interface History {
  readonly from: number;
  readonly until: number;
  readonly points: readonly HistoryPoint[];
  /** The latest first. */
  readonly events: readonly HistoryEvent[];
  /** What processes that died without a word were doing, the latest first. */
  readonly records: readonly ProcessRecord[];
}

/** For a process that has no place for files. */
export function noHistory(now: number): History {
  return { from: now - historyMs, until: now, points: [], events: [], records: [] };
}

/**
 * Reads what all processes of a folder have left; in turns, so that the event loop is not held up. What can't be read is left out.
 *
 * @param since only points that end later are wanted, in milliseconds since 1970
 */
export async function readHistory(folder: string, now: number, since = 0): Promise<History> {
  const from = now - historyMs;
  const points: Point[] = [];
  const events: HistoryEvent[] = [...(readFleetReport(folder)?.events ?? [])];
  for (const name of allOf(() => readdirSync(folder))) {
    const { kind } = parseFileName(name);
    if (kind === "points") points.push(...allOf(() => readPoints(`${folder}/${name}`, Math.max(from, since))));
    if (kind === "events") events.push(...readEvents(`${folder}/${name}`, now));
    if (kind === "points" || kind === "events") await pause();
  }
  return {
    from,
    until: now,
    points: mergePoints(points.filter(({ time }) => time <= now + pointMs)),
    events: events.filter(({ at, until }) => (until ?? at) > from).sort((a, b) => b.at - a.at),
    records: allOf(() => readDeadRecords(folder, now)),
  };
}

/** The points of several processes as one for each ten seconds. */
export function mergePoints(points: readonly Point[]): HistoryPoint[] {
  const byTime = new Map<number, Point[]>();
  for (const point of points) {
    const same = byTime.get(point.time);
    if (same === undefined) byTime.set(point.time, [point]);
    else same.push(point);
  }
  return [...byTime.values()].map(mergeMoment).sort((a, b) => a.time - b.time);
}

function mergeMoment(points: readonly Point[]): HistoryPoint {
  const sum = (of: (point: Point) => number): number => points.reduce((total, point) => total + of(point), 0);
  const most = (of: (point: Point) => number): number => Math.max(...points.map(of));
  const perSecond = (of: (point: Point) => number): number => (sum(of) * 1000) / pointMs;
  const latency = [...latencyBuckets, 0].map((_, bucket) => sum((point) => point.latency[bucket] ?? 0));
  const quantile = (part: number): number | null => quantileOf(part, latencyBuckets, latency) ?? null;
  return {
    time: points[0]?.time ?? 0,
    workers: new Set(points.map(({ pid }) => pid)).size,
    requests_per_second: perSecond(({ requests }) => requests),
    errors_per_second: perSecond(({ errors }) => errors),
    messages_per_second: perSecond(({ messages }) => messages),
    messages_failed_per_second: perSecond(({ messagesFailed }) => messagesFailed),
    p50: quantile(0.5),
    p90: quantile(0.9),
    p99: quantile(0.99),
    active_requests: sum(({ active }) => active),
    open_connections: sum(({ connections }) => connections),
    event_loop_utilization: sum(({ utilization }) => utilization) / points.length,
    busiest_event_loop: most(({ utilization }) => utilization),
    event_loop_delay: most(({ delay }) => delay),
    heap_used_bytes: sum(({ heapUsed }) => heapUsed),
    fullest_heap: most(({ heapUsed, heapLimit }) => (heapLimit > 0 ? heapUsed / heapLimit : 0)),
    memory_bytes: sum(({ resident }) => resident),
    collections_per_second: perSecond(({ collections }) => collections),
  };
}

/** A folder or file that can't be read has nothing. */
function allOf<T>(read: () => T[]): T[] {
  try {
    return read();
  } catch {
    return [];
  }
}
