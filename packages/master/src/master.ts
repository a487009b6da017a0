import type { ChildProcess } from "node:child_process";
import { makeFleet, nextTick, step, type Action, type Fleet, type FleetEvent, type FleetOptions, type Worker } from "./fleet.ts";
import { LastWords } from "./last-words.ts";
import { reasonToRetire, type WorkerLimits } from "./worker-limits.ts";

/** How often limits are looked at. */
const watchIntervalMs = 1000;
/** A worker that has said nothing for so long, though it reports each second, does not accept either. */
const silenceMs = 2500;
/** How long a worker that stands still lives on after it was asked for its stack, which its watchdog thread writes. */
const stackTimeMs = 3000;

/** What a worker reports of itself, once a second. */
export interface WorkerFigures {
  readonly activeRequests: number;
  readonly requestsTotal: number;
  readonly memoryBytes: number;
  /** 0 to 1, of the last second. */
  readonly eventLoopUtilization: number;
}

/** One line of `tsserve ctl status`. */
export interface WorkerStatus {
  readonly index: number;
  readonly generation: number;
  readonly pid: number | undefined;
  readonly state: string;
  readonly age_seconds: number;
  readonly active_requests: number | undefined;
  readonly requests_total: number | undefined;
  readonly memory_bytes: number | undefined;
  readonly event_loop_utilization: number | undefined;
}

export type MasterEvent =
  | { readonly type: "spawned" | "acknowledged" | "stopping"; readonly worker: Worker }
  | {
      readonly type: "exited";
      readonly worker: Worker;
      readonly code: number | null;
      readonly signal: NodeJS.Signals | null;
      readonly words: string;
    }
  | { readonly type: "killed"; readonly worker: Worker; readonly reason: string }
  | { readonly type: "retiring"; readonly worker: Worker; readonly reason: string }
  | { readonly type: "blocked"; readonly worker: Worker; readonly ms: number }
  | { readonly type: "upgrade-begun"; readonly generation: number }
  | { readonly type: "upgraded"; readonly generation: number; readonly ms: number }
  | { readonly type: "abandoned"; readonly generation: number; readonly worker: Worker; readonly reason: string; readonly words: string }
  | { readonly type: "resized"; readonly target: number }
  | { readonly type: "never-served" };

export interface MasterOptions extends FleetOptions {
  readonly workers: number;
  readonly limits: WorkerLimits;
  /** For how long an event loop may stand still, which is when nothing is heard of a worker; `undefined`: for ever. */
  readonly workerTimeoutMs: number | undefined;
  /** Starts the process of a worker, its stderr piped. */
  spawn(worker: Worker): ChildProcess;
  readonly sockets: MasterSockets;
  /** A worker accepts connections: what else is for it can be given to it. */
  onUp(child: ChildProcess): void;
  /** What workers say on stderr is passed on to here. */
  writeError(text: string | Uint8Array): void;
  /** In milliseconds, of a clock that only goes on. */
  now(): number;
  emit(event: MasterEvent): void;
}

/** The sockets that clients connect to, in sets that only the workers of their slots accept on. */
export interface MasterSockets {
  /** How many sets there are. */
  readonly sets: number;
  setOf(slot: number): number;
  /** Has a worker that serves accept on a set that is not its own, or leave it. */
  lend(child: ChildProcess, set: number): void;
  takeBack(child: ChildProcess, set: number): void;
}

export interface MasterEnd {
  /** Whether a worker ever came up. */
  readonly hasServed: boolean;
  /** The exit codes of the workers that served until the stop; of those that never came up, when none did. */
  readonly exitCodes: readonly (number | null)[];
}

export type UpgradeResult =
  | { readonly ok: true; readonly generation: number; readonly ms: number }
  | { readonly ok: false; readonly reason: string };

interface Process {
  readonly worker: Worker;
  readonly child: ChildProcess;
  readonly spawnedAt: number;
  readonly words: LastWords;
  /** Whether it has ever accepted connections: else it had nothing to lose. */
  hasServed: boolean;
  /** Its share of the jitter, from 0 to 1. */
  readonly jitter: number;
  heardAt: number;
  /** When it was asked for its stack, since it stands still. */
  blockedAt: number | undefined;
  figures: WorkerFigures | undefined;
  /** The sets of sockets that it accepts on in the place of others. */
  readonly lent: Set<number>;
}

/** The one place where signals, messages and deaths meet: each becomes an event of the fleet, and what the fleet says is done. */
export class Master {
  /** Resolves when all workers have ended, as was asked, or none ever came up. */
  readonly ended: Promise<MasterEnd>;
  readonly #options: MasterOptions;
  readonly #processes = new Map<number, Process>();
  /** Who waits for the upgrade in progress. */
  #upgradeIsOver: ((result: UpgradeResult) => void) | undefined;
  readonly #exitCodes: (number | null)[] = [];
  #fleet: Fleet;
  #timer: NodeJS.Timeout | undefined;
  #watcher: NodeJS.Timeout | undefined;
  #watchedAt = 0;
  #end: (end: MasterEnd) => void = () => undefined;

  constructor(options: MasterOptions) {
    this.#options = options;
    this.#fleet = makeFleet(options.workers, options);
    this.ended = new Promise((resolve) => (this.#end = resolve));
  }

  get generation(): number {
    return this.#fleet.generation;
  }

  get target(): number {
    return this.#fleet.target;
  }

  start(): void {
    this.#watchedAt = this.#options.now();
    this.#watcher = setInterval(() => this.#watch(), watchIntervalMs);
    this.#send({ type: "tick" });
  }

  /** A worker says that it accepts connections. */
  acknowledge(pid: number): void {
    const before = this.#fleet.workers.find((worker) => worker.pid === pid);
    this.#send({ type: "acknowledged", pid });
    if (before?.state !== "starting") return;
    const process = this.#processes.get(before.id);
    if (process !== undefined) {
      process.hasServed = true;
      process.heardAt = this.#options.now();
      this.#options.onUp(process.child);
    }
    this.#options.emit({ type: "acknowledged", worker: before });
  }

  /** Begins an upgrade; resolves when it is over, or another one has begun. */
  upgrade(): Promise<UpgradeResult> {
    if (this.#fleet.isStopping) return Promise.resolve({ ok: false, reason: "the master is stopping" });
    this.#settleUpgrade({ ok: false, reason: "another upgrade has begun" });
    return new Promise((resolve) => {
      this.#upgradeIsOver = resolve;
      this.#options.emit({ type: "upgrade-begun", generation: this.#fleet.lastGeneration + 1 });
      this.#send({ type: "upgrade" });
    });
  }

  /** At least one. */
  resize(target: number): void {
    const wanted = Math.max(1, target);
    if (wanted === this.#fleet.target) return;
    this.#options.emit({ type: "resized", target: wanted });
    this.#send({ type: "resized", target: wanted });
  }

  stop(): void {
    this.#settleUpgrade({ ok: false, reason: "the master is stopping" });
    this.#send({ type: "stop" });
  }

  /** Passes a signal to every worker. */
  signal(signal: NodeJS.Signals): void {
    for (const { child } of this.#processes.values()) child.kill(signal);
  }

  status(): WorkerStatus[] {
    const now = this.#options.now();
    return [...this.#fleet.workers]
      .sort((a, b) => a.index - b.index)
      .map(({ id, index, generation, pid, state }) => {
        const process = this.#processes.get(id);
        const figures = process?.figures;
        return {
          index,
          generation,
          pid,
          state,
          age_seconds: Math.round((now - (process?.spawnedAt ?? now)) / 1000),
          active_requests: figures?.activeRequests,
          requests_total: figures?.requestsTotal,
          memory_bytes: figures?.memoryBytes,
          event_loop_utilization: figures?.eventLoopUtilization,
        };
      });
  }

  #send(event: FleetEvent): void {
    const { fleet, actions } = step(this.#fleet, event, this.#options.now());
    this.#fleet = fleet;
    for (const action of actions) this.#perform(action);
    this.#lendSockets();
    this.#schedule();
  }

  /**
   * Clients in the queue of a worker that has died, stops, or is not heard of would wait for its successor: all others
   * stand in for it until that is up.
   */
  #lendSockets(): void {
    const { sockets } = this.#options;
    if (sockets.sets < 2 || this.#fleet.isStopping) return;
    const serving = this.#fleet.workers.flatMap((worker) => {
      const process = worker.state === "up" ? this.#processes.get(worker.id) : undefined;
      return process === undefined || this.#isSilent(process) ? [] : [process];
    });
    const served = new Set(serving.map(({ worker }) => sockets.setOf(worker.slot)));
    for (let set = 0; set < sockets.sets; set++) {
      for (const process of serving) {
        if (served.has(set) === !process.lent.has(set)) continue;
        if (served.has(set)) {
          process.lent.delete(set);
          sockets.takeBack(process.child, set);
        } else {
          process.lent.add(set);
          sockets.lend(process.child, set);
        }
      }
    }
  }

  /** It has reported, and then no more. */
  #isSilent({ heardAt }: Process): boolean {
    return this.#options.now() - heardAt > silenceMs;
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    const next = nextTick(this.#fleet);
    if (next !== undefined) this.#timer = setTimeout(() => this.#send({ type: "tick" }), Math.max(1, next - this.#options.now()));
  }

  #perform(action: Action): void {
    const { emit } = this.#options;
    switch (action.type) {
      case "spawn":
        return this.#spawn(action.worker);
      case "stop":
        emit({ type: "stopping", worker: action.worker });
        return this.#tellToStop(action.worker);
      case "kill":
        emit({ type: "killed", worker: action.worker, reason: action.reason });
        return this.#killWithStack(action.worker);
      case "upgraded": {
        const { generation, ms } = action;
        emit({ type: "upgraded", generation, ms });
        return this.#settleUpgrade({ ok: true, generation, ms });
      }
      case "abandoned": {
        const { worker, generation, reason } = action;
        const words = this.#processes.get(worker.id)?.words.text() ?? "";
        emit({ type: "abandoned", generation, worker, reason, words });
        return this.#settleUpgrade({ ok: false, reason: describeFailure(worker, reason, words) });
      }
      case "never-served":
        return emit({ type: "never-served" });
      case "ended":
        clearTimeout(this.#timer);
        clearInterval(this.#watcher);
        return this.#end({ hasServed: this.#fleet.hasServed, exitCodes: this.#exitCodes });
      default:
        return action satisfies never;
    }
  }

  /** One that stands still would not hear it: it is killed, once its stack has been written. */
  #tellToStop(worker: Worker): void {
    const process = this.#processes.get(worker.id);
    if (process?.blockedAt === undefined) process?.child.kill("SIGUSR2");
    else this.#killWithStack(worker);
  }

  /** It is asked for its stack, unless it has been already, and given the time to write it. */
  #killWithStack({ id }: Worker): void {
    const process = this.#processes.get(id);
    if (process === undefined) return;
    const now = this.#options.now();
    if (process.blockedAt === undefined) process.child.kill("SIGUSR1");
    process.blockedAt ??= now;
    setTimeout(() => process.child.kill("SIGKILL"), Math.max(0, process.blockedAt + stackTimeMs - now));
  }

  /** Replaces workers that have reached a limit, one at a time, and those that stand still. */
  #watch(): void {
    const { workers, upgrade, isStopping } = this.#fleet;
    this.#forgiveOwnPause();
    if (isStopping) return;
    this.#lendSockets();
    for (const worker of workers) if (worker.state === "up" && !worker.isRetiring) this.#watchForBlock(worker);
    if (upgrade !== undefined || this.#fleet.workers.some(({ isRetiring, state }) => isRetiring || state === "starting")) return;
    for (const worker of workers) {
      const reason = worker.state === "up" ? this.#reasonToRetire(worker) : undefined;
      if (reason === undefined) continue;
      this.#options.emit({ type: "retiring", worker, reason });
      this.#send({ type: "retire", id: worker.id });
      return;
    }
  }

  /** A master that was suspended has heard of nobody, which is nobody's fault. */
  #forgiveOwnPause(): void {
    const now = this.#options.now();
    if (now - this.#watchedAt > 2 * watchIntervalMs) for (const process of this.#processes.values()) process.heardAt = now;
    this.#watchedAt = now;
  }

  #reasonToRetire({ id }: Worker): string | undefined {
    const process = this.#processes.get(id);
    if (process?.figures === undefined) return undefined;
    const ageMs = this.#options.now() - process.spawnedAt;
    return reasonToRetire({ ...process.figures, ageMs }, this.#options.limits, process.jitter);
  }

  #watchForBlock(worker: Worker): void {
    const process = this.#processes.get(worker.id);
    const ms = this.#options.now() - (process?.heardAt ?? Number.POSITIVE_INFINITY);
    if (process === undefined || this.#options.workerTimeoutMs === undefined || ms < this.#options.workerTimeoutMs) return;
    process.blockedAt = this.#options.now();
    this.#options.emit({ type: "blocked", worker, ms });
    // Its watchdog thread takes the stack even now.
    process.child.kill("SIGUSR1");
    this.#send({ type: "retire", id: worker.id });
  }

  #spawn(worker: Worker): void {
    const child = this.#options.spawn(worker);
    const process: Process = {
      worker,
      child,
      spawnedAt: this.#options.now(),
      words: new LastWords(),
      hasServed: false,
      jitter: Math.random(),
      heardAt: Number.POSITIVE_INFINITY,
      blockedAt: undefined,
      figures: undefined,
      lent: new Set(),
    };
    this.#processes.set(worker.id, process);
    child.stderr?.on("data", (bytes: Buffer) => {
      process.words.add(bytes);
      this.#options.writeError(bytes);
    });
    child.on("message", (message) => {
      if (!isFigures(message)) return;
      process.figures = message.figures;
      process.heardAt = this.#options.now();
    });
    child.once("error", (error) => {
      // It could not even be started: there will be no exit.
      process.words.add(Buffer.from(error.message));
      if (child.pid === undefined) this.#exited(process, null, null);
    });
    // "close" comes after the last of its stderr.
    child.once("close", (code, signal) => this.#exited(process, code, signal));
    if (child.pid === undefined) return;
    this.#options.emit({ type: "spawned", worker: { ...worker, pid: child.pid } });
    this.#send({ type: "spawned", id: worker.id, pid: child.pid });
  }

  #exited(process: Process, code: number | null, signal: NodeJS.Signals | null): void {
    const { id } = process.worker;
    const worker = this.#fleet.workers.find((each) => each.id === id);
    if (worker === undefined) return;
    this.#options.emit({ type: "exited", worker, code, signal, words: process.words.text() });
    const saysHowItEnds = this.#fleet.isStopping ? process.hasServed : !this.#fleet.hasServed && worker.state === "starting";
    if (saysHowItEnds) this.#exitCodes.push(code);
    this.#send({ type: "exited", id });
    this.#processes.delete(id);
  }

  #settleUpgrade(result: UpgradeResult): void {
    this.#upgradeIsOver?.(result);
    this.#upgradeIsOver = undefined;
  }
}

function describeFailure({ index, generation }: Worker, reason: string, words: string): string {
  const what = reason === "start_timeout" ? "did not come up within start_timeout" : "ended before it came up";
  return `worker ${index} of generation ${generation} ${what}${words === "" ? "" : `:\n${words}`}`;
}

export const figuresType = "tsserve:figures";

function isFigures(message: unknown): message is { readonly figures: WorkerFigures } {
  return typeof message === "object" && message !== null && (message as { type?: unknown }).type === figuresType;
}
