import type { Worker } from "node:worker_threads";
import type { ActiveRequests, RequestDescription } from "@tsserve/server";
import type { Logger } from "pino";
import type { Host } from "../host.ts";
import type { LogFormat } from "../logging-settings.ts";
import { cells, clockMs, makeSharedCells, requestsKey, type BlockMessage, type WatchdogData } from "./shared.ts";

/** A thread takes some 30 ms of a core to start: not while the first requests wait. */
const startDelayMs = 500;

export interface StackDumps {
  /** Starts the watchdog, which answers while the main thread can't. */
  start(): void;
  /** The event loop turns. Once called, it is to be called all the time: else it is taken to be blocked. */
  beat(): void;
  /** What the watchdog finds when the event loop is blocked. */
  onBlock(listener: (block: BlockMessage) => void): void;
  end(): void;
}

/**
 * Answers SIGUSR1. The main thread does so itself when its event loop turns; it then waits for
 * something, and says for what. When it is stuck, the watchdog thread, which hears of the signal by
 * itself, takes its stack. While nobody asks, the watchdog sleeps.
 */
export function dumpStacksOnSignal(
  host: Host,
  log: Logger,
  requests: ActiveRequests,
  { format, blockedMs }: { readonly format: LogFormat; readonly blockedMs: number | undefined },
): StackDumps {
  const shared = makeSharedCells();
  (globalThis as Record<symbol, unknown>)[Symbol.for(requestsKey)] = () => JSON.stringify(requests.describe());
  let watchdogAnswers = 0;
  host.onSignal("SIGUSR1", () => {
    Atomics.store(shared, cells.heardAt, clockMs());
    Atomics.notify(shared, cells.heardAt);
    const dumped = Atomics.load(shared, cells.dumped);
    // What the watchdog has answered already, the main thread hears of late.
    if (dumped === watchdogAnswers) logWaiting(log, requests.describe());
    watchdogAnswers = dumped;
  });
  let watchdog: Worker | undefined;
  let tellBlock: (block: BlockMessage) => void = () => undefined;
  let delay: NodeJS.Timeout | undefined;
  return {
    start: () => {
      const data: WatchdogData = { shared, cells, format, pid: host.pid, hostname: host.hostname, blockedMs };
      delay = setTimeout(() => (watchdog = startWatchdog(data, log, (block) => tellBlock(block))), startDelayMs).unref();
    },
    onBlock: (listener) => (tellBlock = listener),
    beat: () => void Atomics.store(shared, cells.beat, clockMs()),
    end: () => {
      clearTimeout(delay);
      void watchdog?.terminate();
    },
  };
}

function startWatchdog(workerData: WatchdogData, log: Logger, onBlock: (block: BlockMessage) => void): Worker {
  // Not loaded before it is needed: every start would wait for it.
  const threads = process.getBuiltinModule("node:worker_threads");
  const watchdog = new threads.Worker(new URL("./watchdog.cjs", import.meta.url), {
    workerData,
    // Only Node's internal signal binding hears signals in a thread. It is asked for in this thread alone.
    execArgv: ["--expose-internals", "--no-warnings"],
    env: {},
    resourceLimits: { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 32, stackSizeMb: 1 },
  });
  watchdog.once("message", () => log.debug("the watchdog thread listens for SIGUSR1"));
  watchdog.on("message", (message: unknown) => {
    if (typeof message === "object") onBlock(message as BlockMessage);
  });
  watchdog.unref();
  watchdog.on("error", (err) => log.warn({ err }, "the watchdog thread failed: SIGUSR1 can't show the stack of a stuck event loop"));
  return watchdog;
}

function logWaiting(log: Logger, requests: readonly RequestDescription[]): void {
  const resources: Record<string, number> = {};
  for (const type of process.getActiveResourcesInfo()) resources[type] = (resources[type] ?? 0) + 1;
  const waits = requests.map(({ method, route, ageMs }) => `${method} ${route} for ${ageMs} ms`);
  const handles = Object.entries(resources).map(([type, count]) => `${count} ${type}`);
  const stack = [
    `idle: no JavaScript is running`,
    ...waits.map((each) => `  request in progress: ${each}`),
    `  open handles: ${handles.join(", ") || "none"}`,
  ].join("\n");
  log.warn({ requests, resources, stack }, `SIGUSR1: the event loop turns; ${requests.length} requests in progress`);
}
