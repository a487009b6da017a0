import type { RequestDescription } from "@tsserve/server";

/** The cells of the memory that the main thread and its watchdog share. */
export const cells = {
  /** When the main thread last heard of a SIGUSR1 itself (`clockMs`). */
  heardAt: 0,
  /** How often the watchdog has answered in its place. */
  dumped: 1,
  /** When the event loop turned last (`clockMs`); 0 while nobody watches for blocks. */
  beat: 2,
} as const;

/** Milliseconds, in the 31 bits that a cell has: for differences only. */
export function clockMs(): number {
  return Date.now() % 2 ** 31;
}

export type SharedCells = Int32Array;

export function makeSharedCells(): SharedCells {
  return new Int32Array(new SharedArrayBuffer(Object.keys(cells).length * Int32Array.BYTES_PER_ELEMENT));
}

/** What the watchdog is told at its start. */
export interface WatchdogData {
  readonly shared: SharedCells;
  readonly cells: typeof cells;
  readonly format: "json" | "pretty";
  readonly pid: number;
  readonly hostname: string;
  /** A block of the event loop that is longer is reported with its stack; `undefined`: none is. */
  readonly blockedMs: number | undefined;
}

/** What the watchdog tells the main thread of a block, once it is over. */
export interface BlockMessage {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly stack: string;
  readonly requests: readonly RequestDescription[];
}

/** Under this key on `globalThis`, the watchdog finds the function that describes the requests in progress, as JSON. */
export const requestsKey = "tsserve.requests";
