import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import type { RequestDescription } from "@tsserve/server";

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

/** A block of the event loop, in `SLOT.blocks.json`. */
export interface Block {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly pid: number;
  readonly stack: string;
  readonly requests: readonly RequestDescription[];
}

export const fleetReportName = "master.json";
const blocksName = /^\d{1,6}\.blocks\.json$/;
const mostBlocks = 20;
export const journalMs = 3_600_000;

/** Whether a file in the folder is one of these. */
export function isJournal(name: string): boolean {
  return name === fleetReportName || blocksName.test(name);
}

/** @returns `undefined` where a master has not written it, or is just writing it */
export function readFleetReport(folder: string): FleetReport | undefined {
  return readJson(`${folder}/${fleetReportName}`) as FleetReport | undefined;
}

/** The blocks of all workers in the last hour, the latest first. */
export function readBlocks(folder: string, now: number): Block[] {
  const names = readdirSync(folder).filter((name) => blocksName.test(name));
  const blocks = names.flatMap((name) => (readJson(`${folder}/${name}`) as Block[] | undefined) ?? []);
  return blocks.filter(({ at }) => now - at < journalMs).sort((a, b) => b.at - a.at);
}

/** Adds one to those of its slot, of which the latest are kept. */
export function writeBlock(folder: string, slot: number, block: Block): void {
  const path = `${folder}/${slot}.blocks.json`;
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
