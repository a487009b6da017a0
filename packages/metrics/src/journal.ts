import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import type { RequestDescription } from "@tsserve/server";
import { eventsName, fleetName, parseFileName } from "./file-names.ts";

/** What a master says of its workers, in `master.json` of their folder. */
export interface FleetReport {
  readonly workers: readonly object[];
  readonly restarts: readonly Restart[];
}

export interface Restart {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly what: string;
  /** What the worker said last. */
  readonly words: string;
}

/** A block of the event loop, in a file of its worker. */
export interface Block {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly pid: number;
  readonly stack: string;
  readonly requests: readonly RequestDescription[];
}

const mostBlocks = 20;
export const journalMs = 3_600_000;

/** @returns `undefined` where a master has not written it, or is just writing it */
export function readFleetReport(folder: string): FleetReport | undefined {
  return readJson(`${folder}/${fleetName}`) as FleetReport | undefined;
}

/** The blocks of all workers in the last hour, the latest first. */
export function readBlocks(folder: string, now: number): Block[] {
  const names = readdirSync(folder).filter((name) => parseFileName(name).kind === "events");
  const blocks = names.flatMap((name) => (readJson(`${folder}/${name}`) as Block[] | undefined) ?? []);
  return blocks.filter(({ at }) => now - at < journalMs).sort((a, b) => b.at - a.at);
}

/** Adds one to those of its worker, of which the latest are kept. */
export function writeBlock(folder: string, base: string, block: Block): void {
  const path = `${folder}/${eventsName(base)}`;
  const before = (readJson(path) as Block[] | undefined) ?? [];
  writeFileSync(path, JSON.stringify([...before, block].slice(-mostBlocks)), { mode: 0o600 });
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}
