import type { ChildProcess } from "node:child_process";
import {
  findWorker,
  makeFleet,
  type Action,
  type Fleet,
  type FleetEvent,
  type FleetOptions,
  type MasterEvent,
  type Worker,
} from "./fleet.ts";
import type { Socket } from "node:net";
import type { ReplOrder } from "./control-commands.ts";
import type { Candidate } from "./choose-worker.ts";
import type { StopReason } from "./messages.ts";
import { resultOf, type Result } from "./result.ts";
import { profileWorker, type ProfileOrder, type ProfileResult } from "./profile-worker.ts";
import { silenceMs } from "./lending.ts";
import { step } from "./step.ts";
import { WorkerProcess } from "./worker-process.ts";
import { statusOf, type WorkerStatus } from "./worker-status.ts";

/** How long a worker may take to move its connections away before a snapshot. */
const restWithinMs = 10_000;
/** Node's timers take no longer delay: a longer one would fire at once. */
const longestTimerMs = 2 ** 31 - 1;

export interface MasterOptions {
  /** How many there are to be. */
  readonly workers: number;
  readonly fleet: FleetOptions;
  /** Starts the process of a worker: its stderr piped, a channel to it open. What it throws is a failed start. */
  spawn(worker: Worker): ChildProcess;
  readonly sockets: MasterSockets;
  /** A worker accepts connections: what else is for it can be given to it. */
  onUp(process: WorkerProcess): void;
  /** What workers write to stderr is passed on to here. */
  writeError(bytes: Uint8Array): void;
  /** Masks the secrets in what workers said, where it is logged and answered. */
  mask(text: string): string;
  /** In milliseconds, of a clock that only goes on. */
  now(): number;
  /** From 0 to below 1. */
  random(): number;
  /** What an operator reads; `words` are the last ones of the worker, where it has ended. */
  emit(event: MasterEvent, words: string): void;
  /** A worker says what makes no sense, or something failed that nobody foresaw: it is logged, and the master goes on. */
  warn(message: string, worker: Worker | undefined, error?: unknown): void;
}

/** The sockets that clients connect to, in sets that only the workers of their slots accept on. */
export interface MasterSockets {
  /** How many sets there are. */
  readonly sets: number;
  /** Which set a slot has; made when there is none yet. */
  setOf(slot: number): number;
  /** Has a worker that serves accept on a set that is not its own, or leave it. */
  lend(process: WorkerProcess, set: number): void;
  takeBack(process: WorkerProcess, set: number): void;
  /** Has a worker accept anew on the set that is its own, unix sockets and all. */
  giveBack(process: WorkerProcess, set: number): void;
}

/** How a master came to its end. */
export interface MasterEnd {
  /** `asked`: by a signal or a command; `never-served`: none of the first workers came up. */
  readonly reason: "asked" | "never-served";
  /** The exit codes of the workers that served until the stop; of those that never came up, when none did. */
  readonly exitCodes: readonly (number | null)[];
}

/**
 * The thin loop round `step`: what happens outside becomes an event, and the actions are performed. It decides nothing.
 * Nothing that fails here ends it: a master that ended would take all of its workers along.
 */
export class Master {
  /** Resolves when all workers have ended, as was asked, or none ever came up. */
  readonly ended: Promise<MasterEnd>;
  readonly #options: MasterOptions;
  readonly #processes = new Map<number, WorkerProcess>();
  /** Those who wait for an answer. */
  readonly #requests = new Map<number, (result: Result) => void>();
  /** Those who wait for a worker to have stepped aside. */
  readonly #resting = new Map<number, () => void>();
  readonly #queue: FleetEvent[] = [];
  #isStepping = false;
  #lastRequest = 0;
  #fleet: Fleet;
  #timer: NodeJS.Timeout | undefined;
  #end: (end: MasterEnd) => void = () => undefined;

  constructor(options: MasterOptions) {
    this.#options = options;
    this.#fleet = makeFleet(options.workers, options.fleet);
    this.ended = new Promise((resolve) => (this.#end = resolve));
  }

  /** The generation that serves. */
  get generation(): number {
    return this.#fleet.generation;
  }

  /** How many workers there are to be. */
  get target(): number {
    return this.#fleet.target;
  }

  /** Whether it has been asked to stop, or none of the first workers came up. */
  get isStopping(): boolean {
    return this.#fleet.stopping !== "no";
  }

  start(): void {
    this.#send({ type: "tick" });
  }

  /** A process says over the control socket that it accepts connections, as Einhorn's workers do. */
  acknowledge(pid: number): void {
    const worker = this.#fleet.workers.find((each) => each.pid === pid);
    if (worker !== undefined) this.#send({ type: "acknowledged", id: worker.id });
  }

  /** Begins an upgrade; resolves when it is over, or another one has begun. */
  upgrade(): Promise<Result> {
    return this.#ask((request) => this.#send({ type: "upgrade", request }));
  }

  /** At least one. */
  resize(target: number): Promise<Result> {
    return this.#ask((request) => this.#send({ type: "resize", target, request }));
  }

  /** What the file says from now on: workers that run already keep the times that they were started with. */
  configure(options: FleetOptions): void {
    this.#send({ type: "configured", options });
  }

  /** `gracefully` may be said again; `drain` ends the drains, `cut` the requests in progress, `kill` the processes. */
  stop(how: "gracefully" | "drain" | "cut" | "kill"): Promise<Result> {
    return this.#ask((request) => this.#send({ type: "stop", how, request }));
  }

  /** Passes a signal to every worker. */
  signal(signal: NodeJS.Signals): void {
    for (const process of this.#processes.values()) process.signal(signal);
  }

  /** Has every worker open the files anew that it logs to. */
  reopen(): void {
    for (const process of this.#processes.values()) process.send({ type: "tsserve:reopen" });
  }

  /** Has a profile taken of one of the workers, also of one whose event loop is stuck. */
  profile(order: ProfileOrder): Promise<ProfileResult> {
    return profileWorker(order, {
      candidates: () => this.candidates(),
      line: (index) => this.processOfIndex(index)?.line,
      stepAside: (index, ms) => this.#stepAside(index, ms),
    });
  }

  /** Hands the connection of an operator to a worker, which answers from then on; gives why not. */
  repl({ worker, by, columns }: ReplOrder, socket: Socket): string | undefined {
    const up = this.candidates().filter(({ isUp }) => isUp);
    const chosen = worker === undefined ? up[0] : up.find(({ index }) => index === worker);
    const process = chosen && this.processOfIndex(chosen.index);
    if (process === undefined) {
      const wanted = worker === undefined ? "no worker" : `no worker ${worker}`;
      return `there is ${wanted} that is up; up are ${up.map(({ index }) => index).join(", ") || "none"}`;
    }
    process.send({ type: "tsserve:repl", by, columns }, socket);
    return undefined;
  }

  /** The workers as one of them is chosen. */
  candidates(): Candidate[] {
    return this.#fleet.workers.map(({ index, pid, state, heardAt, figures }) => ({
      index,
      pid,
      isUp: state === "up",
      isSilent: state === "up" && this.#options.now() - heardAt >= silenceMs,
      utilization: figures?.eventLoopUtilization ?? 0,
      memoryBytes: figures?.memoryBytes ?? 0,
    }));
  }

  /** The process of the worker that is called so. */
  processOfIndex(index: number): WorkerProcess | undefined {
    const worker = this.#fleet.workers.find((each) => each.index === index);
    return worker && this.#processOf(worker);
  }

  async #stepAside(index: number, ms: number): Promise<(() => void) | undefined> {
    const found = this.#fleet.workers.find((each) => each.index === index);
    if (found === undefined) return undefined;
    const { id } = found;
    const asked = new Promise<void>((resolve) => this.#resting.set(id, resolve));
    this.#send({ type: "rest", id, ms });
    if (findWorker(this.#fleet, id)?.rests !== true) return undefined;
    // One whose event loop is stuck does not hear of it; it serves nobody either.
    const limit = setTimeout(() => this.#resting.get(id)?.(), restWithinMs + 1000);
    await asked;
    clearTimeout(limit);
    this.#resting.delete(id);
    return () => this.#send({ type: "return", id });
  }

  status(): WorkerStatus[] {
    return statusOf(this.#fleet, this.#options.now());
  }

  #ask(begin: (request: number) => void): Promise<Result> {
    return new Promise((resolve) => {
      const request = ++this.#lastRequest;
      this.#requests.set(request, resolve);
      begin(request);
    });
  }

  /** Events that come while actions are performed wait for their turn. */
  #send(event: FleetEvent): void {
    this.#queue.push(event);
    if (this.#isStepping) return;
    this.#isStepping = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      const { fleet, actions } = step(this.#fleet, next, this.#options.now());
      this.#fleet = fleet;
      for (const action of actions) this.#perform(action);
    }
    this.#isStepping = false;
    this.#schedule();
  }

  /** Timers run before what has arrived is read: a worker whose message lies here already must not be judged as silent. */
  #schedule(): void {
    clearTimeout(this.#timer);
    const { tickAt } = this.#fleet;
    if (tickAt === undefined) return;
    const ms = Math.min(longestTimerMs, Math.max(1, Math.ceil(tickAt - this.#options.now())));
    this.#timer = setTimeout(() => setImmediate(() => this.#send({ type: "tick" })), ms);
  }

  #perform(action: Action): void {
    try {
      this.#do(action);
    } catch (error) {
      this.#options.warn(`${action.type} failed: ${(error as Error).message}`, "worker" in action ? action.worker : undefined, error);
    }
  }

  #do(action: Action): void {
    switch (action.type) {
      case "spawn":
        return this.#spawn(action.worker);
      case "stop":
        return this.#tellToStop(action.worker, action.reason);
      case "hurry":
        return this.#processOf(action.worker)?.send({ type: "tsserve:hurry", ends: action.ends });
      case "ask-stack":
        return this.#processOf(action.worker)?.signal("SIGUSR1");
      case "kill":
        return this.#processOf(action.worker)?.signal("SIGKILL");
      case "rest":
        return this.#processOf(action.worker)?.send({ type: "tsserve:rest", withinMs: restWithinMs });
      case "return": {
        const process = this.#processOf(action.worker);
        if (process === undefined) return undefined;
        if (action.worker.set !== undefined) this.#options.sockets.giveBack(process, action.worker.set);
        return process.send({ type: "tsserve:return" });
      }
      case "welcome": {
        const process = this.#processOf(action.worker);
        return process && this.#options.onUp(process);
      }
      case "lend": {
        const process = this.#processOf(action.worker);
        return process && this.#options.sockets.lend(process, action.set);
      }
      case "take-back": {
        const process = this.#processOf(action.worker);
        return process && this.#options.sockets.takeBack(process, action.set);
      }
      case "answer":
        this.#requests.get(action.request)?.(resultOf(action.answer, (worker) => this.#wordsOf(worker)));
        this.#requests.delete(action.request);
        return undefined;
      case "tell":
        return this.#options.emit(action.event, "worker" in action.event ? this.#wordsOf(action.event.worker) : "");
      case "ended":
        clearTimeout(this.#timer);
        return this.#end({ reason: this.#fleet.stopping === "asked" ? "asked" : "never-served", exitCodes: this.#fleet.exitCodes });
      default:
        return action satisfies never;
    }
  }

  #processOf({ id }: Worker): WorkerProcess | undefined {
    return this.#processes.get(id);
  }

  /** The signal is for a worker that loads its code, and does not listen to its channel yet. */
  #tellToStop(worker: Worker, reason: StopReason): void {
    const process = this.#processOf(worker);
    process?.send({ type: "tsserve:stop", reason });
    process?.signal("SIGUSR2");
  }

  #spawn(worker: Worker): void {
    const { id, slot } = worker;
    const { sockets, spawn, writeError, warn, emit, random } = this.#options;
    const warnOf = (error: unknown): void => warn(`a worker could not be started: ${(error as Error).message}`, worker, error);
    let child: ChildProcess;
    let set: number;
    try {
      set = sockets.setOf(slot);
      if (sockets.sets !== this.#fleet.sets) this.#send({ type: "sockets", sets: sockets.sets });
      child = spawn(worker);
    } catch (error) {
      warnOf(error);
      return this.#send({ type: "exited", id, code: null, signal: null });
    }
    const process = new WorkerProcess({
      child,
      onMessage: (message) => {
        if (message.type === "tsserve:acknowledge") this.#send({ type: "acknowledged", id });
        else if (message.type === "tsserve:figures") this.#send({ type: "heard", id, figures: message.figures });
        else if (message.type === "tsserve:leaving") this.#send({ type: "leaving", id, reason: message.reason });
        else if (message.type === "tsserve:resting") this.#resting.get(id)?.();
      },
      onProblem: (problem) => warn(`it says what makes no sense, which is passed over from now on: ${problem}`, worker),
      onError: writeError,
      onStartFailed: warnOf,
      onExit: (code, signal) => {
        this.#send({ type: "exited", id, code, signal });
        this.#resting.get(id)?.();
        this.#processes.delete(id);
      },
    });
    this.#processes.set(id, process);
    if (child.pid === undefined) return undefined;
    emit({ type: "spawned", worker: { ...worker, pid: child.pid } }, "");
    return this.#send({ type: "spawned", id, pid: child.pid, set, jitter: random() });
  }

  #wordsOf(worker: Worker): string {
    return this.#options.mask(this.#processOf(worker)?.lastWords() ?? "");
  }
}
