import { EventEmitter } from "node:events";
import { rmSync } from "node:fs";
import { createRequire } from "node:module";
import { constants, tmpdir } from "node:os";
import type { Worker } from "node:worker_threads";
import { asError } from "@tsserve/config";
import type { WatchdogAnswer, WatchdogRequest } from "@tsserve/master";
import { stopSignals } from "../first-instruction.ts";
import type { Host } from "../host.ts";
import { packageFile } from "../package-file.ts";
import type { Configuration } from "../configuration.ts";
import { lineVariable, isOwnWorker, stuckFolder } from "../workers/own-worker.ts";
import type { LoopWatcher } from "@tsserve/metrics";
import {
  cells,
  clockNs,
  endStuckKey,
  makeSharedCells,
  rests,
  type BlockMessage,
  type WatchdogData,
  type WatchdogSettings,
} from "./shared.ts";

/** The thread that hears of signals, and sees blocks, while the main thread is stuck. */
export interface Watchdog {
  /** The start is over: from here on, a signal that asks to stop is for the event loop to hear. */
  started(): void;
  /** The main thread has heard of a SIGUSR1; gives whether the watchdog has answered it already. */
  answered(): boolean;
  /** Where the event loop shows that it turns. */
  readonly loop: LoopWatcher;
  onBlock(listener: (block: BlockMessage) => void): void;
  /** Has a profile taken of this process; one at a time. */
  profile(request: Omit<WatchdogRequest, "type" | "id">): Promise<WatchdogAnswer>;
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
  const data: WatchdogData = { shared, cells, rests, pid: host.pid, hostname: host.hostname, stopSignals: numbers, settings };
  const thread = startThread(data);
  let tellBlock: (block: BlockMessage) => void = () => undefined;
  const listening = new Promise<Error | undefined>((resolve) => {
    thread.once("message", () => resolve(undefined));
    thread.once("error", resolve);
  });
  thread.on("message", (message: unknown) => {
    if (typeof message !== "object" || message === null) return;
    if ("stack" in message) tellBlock(message as BlockMessage);
    else answer(message as WatchdogAnswer);
  });
  let hasEnded = false;
  let lastId = 0;
  const waiting = new Map<number, (answer: WatchdogAnswer) => void>();
  const answer = (given: WatchdogAnswer): void => {
    waiting.get(given.id)?.(given);
    waiting.delete(given.id);
  };
  thread.once("exit", () => {
    hasEnded = true;
    for (const id of waiting.keys()) answer({ type: "tsserve:profile-failed", id, reason: "the process ends" });
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
    loop: {
      beat: () => void Atomics.store(shared, cells.beat, clockNs()),
      mayRest: () => {
        Atomics.compareExchange(shared, cells.rest, rests.beating, rests.asked);
        return Atomics.load(shared, cells.rest) === rests.granted;
      },
      rest: (isResting) => void Atomics.store(shared, cells.rest, isResting ? rests.resting : rests.beating),
    },
    profile: (request) =>
      new Promise((resolve) => {
        lastId += 1;
        if (hasEnded) return resolve({ type: "tsserve:profile-failed", id: lastId, reason: "its watchdog thread does not run" });
        waiting.set(lastId, resolve);
        return thread.postMessage({ type: "tsserve:profile", id: lastId, ...request });
      }),
    listening,
    end: () => {
      // A thread with a session of the inspector, or one that was closed a moment ago, ends with the process (profile-thread.cts).
      if (Atomics.load(shared, cells.isProfiled) === 0n) void thread.terminate();
      if (settings.profiles.stuckFolder !== undefined) removeIfPossible(settings.profiles.stuckFolder);
    },
  };
}

/** Takes out of the environment what is the watchdog's alone. */
export function settingsOf({ logging, metrics, monitoring, master }: Configuration, host: Pick<Host, "env" | "ppid">): WatchdogSettings {
  const { env } = host;
  const index = env["EINHORN_CHILD_INDEX"];
  const isWorker = isOwnWorker(host);
  const lineFd = isWorker ? Number(env[lineVariable]) : undefined;
  delete env[lineVariable];
  return {
    format: logging.format,
    blockedMs: metrics.enabled ? monitoring.blockedHubMs : undefined,
    profiles: {
      folder: master.profileFolder ?? tmpdir(),
      worker: isWorker ? `worker ${index}` : "the process",
      lineFd,
      stuckFolder: isWorker || master.controlSocket === undefined ? undefined : stuckFolder(master.controlSocket),
    },
  };
}

type Thread = EventEmitter & Pick<Worker, "postMessage" | "terminate">;

/** A thread that ended before it began: Node's permission model forbids it (`--permission` without `--allow-worker`), or the system does. */
class Unstarted extends EventEmitter implements Thread {
  constructor(error: Error) {
    super();
    process.nextTick(() => {
      this.emit("error", error);
      this.emit("exit", 1);
    });
  }

  postMessage(): void {}

  terminate(): Promise<number> {
    return Promise.resolve(1);
  }
}

/** Starts the thread. That it can't be started keeps nobody from being served, either. */
function startThread(workerData: WatchdogData): Thread {
  try {
    return makeThread(workerData);
  } catch (error) {
    return new Unstarted(asError(error));
  }
}

function makeThread(workerData: WatchdogData): Worker {
  // Not loaded by the commands that have no watchdog.
  const threads = process.getBuiltinModule("node:worker_threads");
  const thread = new threads.Worker(packageFile("dist/stacks/watchdog-thread.cjs"), {
    workerData,
    // Only Node's internal signal binding hears signals in a thread. It is asked for in this thread alone.
    execArgv: ["--expose-internals", "--no-warnings", ...archiveHooks()],
    env: {},
    resourceLimits: { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 32, stackSizeMb: 1 },
  });
  thread.unref();
  return thread;
}

/** What `require` finds the hooks of Yarn's Plug'n'Play by. */
const yarnHooks = "pnpapi";

/** Yarn's Plug'n'Play keeps packages in archives: a thread reads its own files there by hooks that it does not inherit. */
function archiveHooks(): string[] {
  return process.versions["pnp"] === undefined ? [] : ["--require", createRequire(import.meta.url).resolve(yarnHooks)];
}

/** What it had made for somebody who did not come. Where nothing could be made, for want of rights, nothing can be removed. */
function removeIfPossible(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch {
    // It is told of when somebody asks for it.
  }
}
