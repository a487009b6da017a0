import type { RequestDescription } from "@tsserve/server";

/** The cells of the memory that the main thread and its watchdog share. */
export const cells = {
  /** When the main thread last heard of a SIGUSR1 itself (`clockNs`). */
  heardAt: 0,
  /** How often the watchdog has answered in its place. */
  dumped: 1,
  /** When the event loop turned last (`clockNs`); 0 while nobody watches for blocks. */
  beat: 2,
  /** How many signals that ask to stop the main thread has heard of. */
  stopsHeard: 3,
  /** 1 from when the process has started: until then, one signal ends it. */
  hasStarted: 4,
  /** 1 from when somebody has asked for a profile. */
  isProfiled: 5,
  /** Whether the event loop gives beats while it sleeps: one of `rests`. */
  rest: 6,
} as const;

/** How the event loop comes to rest, which the main thread asks for and the watchdog grants. */
export const rests = {
  /** The loop gives beats all the time. */
  beating: 0n,
  /** It has nothing to do, and would rather not be woken for beats. */
  asked: 1n,
  /** The watchdog knows how to tell that it sleeps. */
  granted: 2n,
  /** It gives a beat at the end of each turn, and none while it sleeps. */
  resting: 3n,
} as const;

/** Nanoseconds on a clock that all threads of this machine share and that nobody sets; in 63 bits it never wraps. */
export function clockNs(): bigint {
  return process.hrtime.bigint();
}

export type SharedCells = BigInt64Array;

export function makeSharedCells(): SharedCells {
  return new BigInt64Array(new SharedArrayBuffer(Object.keys(cells).length * BigInt64Array.BYTES_PER_ELEMENT));
}

/** What the watchdog is told at its start. */
export interface WatchdogData {
  readonly shared: SharedCells;
  readonly cells: typeof cells;
  readonly rests: typeof rests;
  readonly pid: number;
  readonly hostname: string;
  /** The numbers of the signals that ask to stop. */
  readonly stopSignals: Readonly<Record<string, number>>;
  readonly settings: WatchdogSettings;
}

/** What it has of the configuration. */
export interface WatchdogSettings {
  readonly profiles: ProfileSettings;
  readonly format: "json" | "pretty";
  /** A block of the event loop that is longer is reported with its stack; `undefined`: none is. */
  readonly blockedMs: number | undefined;
}

/** What it needs to be asked for profiles. */
export interface ProfileSettings {
  /** Where they are written. */
  readonly folder: string;
  /** Who is profiled, in words: `worker 0`. */
  readonly worker: string;
  /** The descriptor of the line to the master; `undefined` where there is no master of ours. */
  readonly lineFd: number | undefined;
  /** Where a single process that has a control socket can be asked while its event loop is stuck. */
  readonly stuckFolder: string | undefined;
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
/** Under this key, the function that ends the process when its main thread is stuck: `(signal, heard) => void`. */
export const endStuckKey = "tsserve.endStuck";

/** What can be seen of a thread from another one. */
export interface ObservedThread {
  /** The descriptor of epoll that it waits at, or else what it does; `elsewhere` where nobody can tell. */
  place(): number | "running" | "elsewhere";
  /** How long it has run for since it began; 0 where nobody can tell. */
  workedNs(): bigint;
}

/** @param arch as `process.arch` has it: the numbers of system calls differ */
export type ObserveMainThread = (pid: number, arch: string) => ObservedThread;

/** What blocks are seen by. */
export interface BlockWatchParts {
  readonly thresholdMs: number;
  readonly shared: SharedCells;
  readonly cells: Pick<typeof cells, "beat" | "rest">;
  readonly rests: typeof rests;
  readonly thread: ObservedThread;
  /** The clock of the beats (`clockNs`). */
  readonly nowNs: () => bigint;
  /** Is told of each block once, while it lasts. */
  readonly onBlock: (isCurrent: () => boolean) => void;
}

export type WatchForBlocks = (parts: BlockWatchParts) => void;
