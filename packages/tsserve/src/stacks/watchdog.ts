import { constants } from "node:os";
import type { Worker } from "node:worker_threads";
import { stopSignals } from "../first-instruction.ts";
import type { Host } from "../host.ts";
import type { Configuration } from "../configuration.ts";
import { cells, clockNs, endStuckKey, makeSharedCells, type BlockMessage, type WatchdogData, type WatchdogSettings } from "./shared.ts";

/** The thread that hears of signals, and sees blocks, while the main thread is stuck. */
export interface Watchdog {
  /** The start is over: from here on, a signal that asks to stop is for the event loop to hear. */
  started(): void;
  /** The main thread has heard of a SIGUSR1; gives whether the watchdog has answered it already. */
  answered(): boolean;
  /** The event loop turns. Once called, it is to be called all the time: else it is taken to be blocked. */
  beat(): void;
  onBlock(listener: (block: BlockMessage) => void): void;
  /** Resolves when it listens, or can't; to the error then. */
  readonly listening: Promise<Error | undefined>;
  end(): void;
}

/**
 * Starts the watchdog. It boots on another core while this one goes on, and sleeps until there is something to do.
 *
 * @param endStuck ends the process, whose main thread is stuck: is called in the middle of whatever it does
 */
export function startWatchdog(host: Host, settings: WatchdogSettings, endStuck: (signal: NodeJS.Signals, heard: number) => void): Watchdog {
  const shared = makeSharedCells();
  (globalThis as Record<symbol, unknown>)[Symbol.for(endStuckKey)] = endStuck;
  for (const signal of stopSignals) host.onSignal(signal, () => void Atomics.add(shared, cells.stopsHeard, 1n));
  const numbers = Object.fromEntries(stopSignals.map((signal) => [signal, constants.signals[signal]]));
  const data: WatchdogData = { shared, cells, pid: host.pid, hostname: host.hostname, stopSignals: numbers, settings };
  const thread = startThread(data);
  let tellBlock: (block: BlockMessage) => void = () => undefined;
  const listening = new Promise<Error | undefined>((resolve) => {
    thread.once("message", () => resolve(undefined));
    thread.once("error", resolve);
  });
  thread.on("message", (message: unknown) => {
    if (typeof message === "object") tellBlock(message as BlockMessage);
  });
  let answers = 0n;
  return {
    started: () => void Atomics.store(shared, cells.hasStarted, 1n),
    answered: () => {
      Atomics.store(shared, cells.heardAt, clockNs());
      Atomics.notify(shared, cells.heardAt);
      const dumped = Atomics.load(shared, cells.dumped);
      // What the watchdog has answered already, the main thread hears of late.
      const byWatchdog = dumped !== answers;
      answers = dumped;
      return byWatchdog;
    },
    onBlock: (listener) => (tellBlock = listener),
    beat: () => void Atomics.store(shared, cells.beat, clockNs()),
    listening,
    end: () => void thread.terminate(),
  };
}

export function settingsOf({ logging, metrics, monitoring }: Configuration): WatchdogSettings {
  return { format: logging.format, blockedMs: metrics.enabled ? monitoring.blockedHubMs : undefined };
}

function startThread(workerData: WatchdogData): Worker {
  // Not loaded by the commands that have no watchdog.
  const threads = process.getBuiltinModule("node:worker_threads");
  const thread = new threads.Worker(new URL("./watchdog-thread.cjs", import.meta.url), {
    workerData,
    // Only Node's internal signal binding hears signals in a thread. It is asked for in this thread alone.
    execArgv: ["--expose-internals", "--no-warnings"],
    env: {},
    resourceLimits: { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 32, stackSizeMb: 1 },
  });
  thread.unref();
  return thread;
}
