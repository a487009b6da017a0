import { closeSync, constants, openSync, readdirSync, readSync, rmSync, writeSync } from "node:fs";
import type { RequestDescription } from "@tsserve/server";
import { parseFileName, processOf, recordName } from "../file-names.ts";
import { isAlive } from "../process-identity.ts";

/** One second of a process. */
export interface Second {
  /** Its end, in milliseconds since 1970. */
  readonly at: number;
  readonly requests: number;
  readonly errors: number;
  readonly active: number;
  readonly event_loop_utilization: number;
  readonly memory_bytes: number;
}

/** What a process was doing last: written while it lives, read when it has died without a word. */
export interface ProcessRecord {
  readonly pid: number;
  readonly index: number;
  /** When it was written last, in milliseconds since 1970. */
  readonly at: number;
  readonly age_seconds: number;
  readonly active_requests: number;
  /** The oldest ones of those in progress. */
  readonly requests: readonly RequestDescription[];
  readonly heap_used_bytes: number;
  readonly heap_limit_bytes: number;
  readonly memory_bytes: number;
  /** The last ten of them. */
  readonly seconds: readonly Second[];
}

/** Half of the file each. */
const halfBytes = 16 * 1024;
const keptMs = 3_600_000;
/** Of processes that have died. */
const mostRecords = 20;

/**
 * The record of this process, in a file of its own. The two halves of the file are written in turn: a process that is killed
 * while it writes leaves the one before.
 */
export class RecordFile {
  readonly #path: string;
  /** Used again for each write: a buffer twice a second would wait for the next collection. */
  readonly #bytes = Buffer.allocUnsafeSlow(halfBytes);
  #half = 0;
  #writtenAt = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** @throws {Error} when it can't be written */
  write(record: ProcessRecord): void {
    const bytes = this.#bytes;
    bytes.fill(" ", bytes.write(textOf(record)));
    const fd = openSync(this.#path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    try {
      writeSync(fd, bytes, 0, halfBytes, this.#half * halfBytes);
      this.#half = 1 - this.#half;
      // The later half is what is read: one from before the clock was set back must not seem to be that.
      if (record.at < this.#writtenAt) writeSync(fd, bytes, 0, halfBytes, this.#half * halfBytes);
    } finally {
      closeSync(fd);
    }
    this.#writtenAt = record.at;
  }

  /** A process that ends as it should leaves none. */
  remove(): void {
    rmSync(this.#path, { force: true });
  }
}

/** With as many of the requests as there is room for. */
function textOf(record: ProcessRecord): string {
  for (let requests = record.requests; ; requests = requests.slice(0, requests.length >> 1)) {
    const text = JSON.stringify({ ...record, requests });
    if (Buffer.byteLength(text) <= halfBytes || requests.length === 0) return text;
  }
}

/** @returns `undefined` when it has none */
export function readRecord(path: string): ProcessRecord | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const bytes = Buffer.alloc(2 * halfBytes);
    const length = readSync(fd, bytes, 0, bytes.length, 0);
    const halves = [bytes.toString("utf8", 0, Math.min(length, halfBytes)), bytes.toString("utf8", halfBytes, length)];
    return halves.map(parse).reduce((one, other) => ((other?.at ?? 0) > (one?.at ?? 0) ? other : one));
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/**
 * The records of processes that have died in the last hour, the latest first. One of a later time is as old as it is young: it was
 * written before the clock was set back.
 */
export function readDeadRecords(folder: string, now: number): ProcessRecord[] {
  const found = readdirSync(folder).flatMap((name): ProcessRecord[] => {
    const file = parseFileName(name);
    const owner = file.kind === "record" ? processOf(file) : undefined;
    if (owner === undefined || isAlive(owner)) return [];
    const record = readRecord(`${folder}/${name}`);
    return record === undefined || Math.abs(now - record.at) > keptMs ? [] : [record];
  });
  return found.sort((a, b) => Math.abs(now - a.at) - Math.abs(now - b.at)).slice(0, mostRecords);
}

/** Removes those of processes that died more than an hour ago, and all but the latest. */
export function removeOldRecords(folder: string, now: number): void {
  const kept = new Set(readDeadRecords(folder, now).map(({ pid }) => pid));
  for (const name of readdirSync(folder)) {
    const file = parseFileName(name);
    const owner = file.kind === "record" ? processOf(file) : undefined;
    if (owner !== undefined && !isAlive(owner) && !kept.has(owner.pid)) rmSync(`${folder}/${recordName(file.base)}`, { force: true });
  }
}

function parse(text: string): ProcessRecord | undefined {
  try {
    const record = JSON.parse(text) as ProcessRecord | null;
    return typeof record?.at === "number" && typeof record.pid === "number" ? record : undefined;
  } catch {
    return undefined;
  }
}
