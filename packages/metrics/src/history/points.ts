import { closeSync, constants, openSync, readSync, writeSync } from "node:fs";
import { latencyBuckets } from "@tsserve/server";

/** How much time one point tells of. All processes begin theirs at full ten seconds of the wall clock. */
export const pointMs = 10_000;
/** An hour of them. */
const mostPoints = 360;

/** What one process did in ten seconds, and how it was at their end. */
export interface Point {
  /** Their end, in milliseconds since 1970. */
  readonly time: number;
  readonly pid: number;
  /** How long they were: the first ones of a process are fewer. */
  readonly seconds: number;
  readonly requests: number;
  readonly errors: number;
  readonly active: number;
  readonly connections: number;
  /** 0 to 1. */
  readonly utilization: number;
  /** Seconds: the worst of the one-second figures. */
  readonly delay: number;
  readonly heapUsed: number;
  readonly heapLimit: number;
  readonly resident: number;
  readonly collections: number;
  readonly messages: number;
  readonly messagesFailed: number;
  /** Requests by the buckets of latencies. */
  readonly latency: readonly number[];
}

const fields = [
  "time",
  "pid",
  "seconds",
  "requests",
  "errors",
  "active",
  "connections",
  "utilization",
  "delay",
  "heapUsed",
  "heapLimit",
  "resident",
  "collections",
  "messages",
  "messagesFailed",
] as const satisfies readonly (keyof Point)[];
const buckets = latencyBuckets.length + 1;
/** Doubles of a point. The first of a file's is its form. */
const pointLength = 1 + fields.length + buckets;
const form = 0x74_73_70_02;
const pointBytes = pointLength * Float64Array.BYTES_PER_ELEMENT;

/**
 * The last hour of a worker in a file, of which the oldest point is overwritten: 91 kB, once, however many processes the worker
 * has been.
 */
export class PointRing {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Opens the file each time, which is seldom: it may have been removed, or moved on by a successor. @throws {Error} when it can't be written */
  add(point: Point): void {
    const fd = openSync(this.#path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    try {
      const cells = Float64Array.of(form, ...fields.map((field) => point[field]), ...point.latency);
      writeSync(fd, cells, 0, pointBytes, placeOf(point.time, readAll(fd)) * pointBytes);
    } finally {
      closeSync(fd);
    }
  }
}

/**
 * Where a point goes. Those of a later time were written before the clock was set back, and would come true again one by one: the
 * next of them goes. Else the first place that is free, or the oldest point's.
 */
function placeOf(time: number, cells: Float64Array): number {
  const count = cells.length / pointLength;
  let oldest = 0;
  let next: number | undefined;
  const timeAt = (n: number): number => cells[n * pointLength + 1] as number;
  for (let n = 0; n < count; n++) {
    if (timeAt(n) < timeAt(oldest)) oldest = n;
    if (timeAt(n) > time && (next === undefined || timeAt(n) < timeAt(next))) next = n;
  }
  return next ?? (count < mostPoints ? count : oldest);
}

/** The points of a file that end after an instant, in no order. What is none is left out. */
export function readPoints(path: string, after: number): Point[] {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const cells = readAll(fd);
    const points: Point[] = [];
    for (let at = 0; at < cells.length; at += pointLength)
      if (cells[at] === form && (cells[at + 1] as number) > after) points.push(pointAt(cells, at));
    return points;
  } finally {
    closeSync(fd);
  }
}

function readAll(fd: number): Float64Array {
  const cells = new Float64Array(mostPoints * pointLength);
  const bytes = readSync(fd, cells, 0, cells.byteLength, 0);
  return cells.subarray(0, Math.floor(bytes / pointBytes) * pointLength);
}

function pointAt(cells: Float64Array, at: number): Point {
  const point: Partial<Record<(typeof fields)[number], number>> = {};
  for (let n = 0; n < fields.length; n++) point[fields[n] as (typeof fields)[number]] = cells[at + 1 + n] as number;
  return {
    ...(point as Record<(typeof fields)[number], number>),
    latency: Array.from(cells.subarray(at + 1 + fields.length, at + pointLength)),
  };
}
