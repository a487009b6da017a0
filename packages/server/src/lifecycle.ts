import type { RequestDescription } from "./active-requests.ts";
import type { Causes } from "./causes.ts";
import { wait, type Clock } from "./clock.ts";
import { whenAborted } from "./when-aborted.ts";
import type { Cause, Emit } from "./events.ts";
import { makeGuard } from "./guard.ts";
import { exitCodeAfter, type End } from "./exit-codes.ts";
import type { LifecycleSettings } from "./settings.ts";
import type { MutableServerState } from "./state.ts";

/**
 * One part of what runs. Steps are started in order and stopped in reverse; what a step's start gives is handed to its
 * other functions, and to the steps after it.
 */
export interface Step<T = void> {
  /** The name it has in logs: a step that hangs can be told. */
  readonly name: string;
  start(): T | Promise<T>;
  /** The stop signal came; everything still serves. */
  drain?(started: T, cause: Cause): void;
  /** Ends the step, at the latest soon after the deadline. `cut` counts the work that was lost. */
  stop?(started: T, deadline: AbortSignal): Promise<{ readonly cut: number } | void> | void;
}

/** Starts a step, and gives what it gives. It throws what the lifecycle has to know; nobody need catch it. */
export type Begin = <T>(step: Step<T>) => Promise<T>;

export interface Lifecycle {
  /** Begins one step after the other; gives where the server listens. */
  start(begin: Begin): Promise<readonly string[]>;
  readonly settings: LifecycleSettings;
  readonly state: MutableServerState;
  readonly clock: Clock;
  readonly causes: Causes;
  /** Is told what happens; starts nothing. */
  readonly emit: Emit;
  /**
   * Whether a second signal ends the drain, and a third the process (default true). Not in a worker of our own master:
   * one order to stop may reach it by two ways, and only the master hurries it.
   */
  readonly signalsHurry?: boolean;
  /** What is in progress, for the logs. */
  requests(): readonly RequestDescription[];
  /** Ends the process at once. */
  exit(code: number): void;
}

/** How long a step may go on after the deadline, which asks it to cut what it has. */
const overrunMs = 1000;

/**
 * Runs a process from start to end: starts the steps, waits for a cause, drains, stops them in reverse. A failed start
 * undoes the steps that had started, and nothing else.
 */
export async function runLifecycle(lifecycle: Lifecycle): Promise<End> {
  const { clock, emit, state, causes } = lifecycle;
  const start = await startSteps(lifecycle);
  if (start.outcome === "running") {
    state.enter("RUNNING");
    emit({ type: "running", addresses: start.addresses, ms: start.ms });
  }
  const cause = start.outcome === "running" ? await causes.first : undefined;
  const stopBegan = clock.now();
  const later = followLaterCauses(lifecycle);
  const guard = makeGuard((owner, error) => emit({ type: "callback-failed", owner, error }));
  state.enter("SHUTTING_DOWN", guard.tell);
  if (cause !== undefined) {
    await drain(lifecycle, start.steps, cause, later.drainEnd);
    emit({ type: "stopping", stopTimeoutMs: lifecycle.settings.stopTimeoutMs, requests: lifecycle.requests() });
  }
  const lost = (await stopSteps(lifecycle, start.steps, later.cut)) || later.failed();
  const end = endOf(start, cause, lost);
  if (end.kind !== "start-failed") emit({ type: "stopped", exitCode: exitCodeAfter(end), ms: clock.now() - stopBegan });
  return end;
}

/** A step that has started, with what its start gave bound to its functions. */
interface StartedStep {
  readonly name: string;
  drain(cause: Cause): void;
  stop(deadline: AbortSignal): Promise<{ readonly cut: number } | void> | void;
}

type Start = { readonly steps: readonly StartedStep[] } & (
  | { readonly outcome: "running"; readonly addresses: readonly string[]; readonly ms: number }
  | { readonly outcome: "interrupted"; readonly cause: Cause }
  | { readonly outcome: "failed"; readonly error: unknown }
);

async function startSteps({ start, clock, causes, emit }: Lifecycle): Promise<Start> {
  const began = clock.now();
  const steps: StartedStep[] = [];
  let current = "the start";
  const begin: Begin = async (step) => {
    const stepBegan = clock.now();
    current = step.name;
    // What has not begun when a cause comes does not begin any more.
    if (causes.earliest !== undefined) throw new StartInterrupted(causes.earliest);
    const started = await raceOf(step.start(), causes.first);
    steps.push({
      name: step.name,
      drain: (cause) => step.drain?.(started, cause),
      stop: (deadline) => step.stop?.(started, deadline),
    });
    emit({ type: "step-started", step: step.name, ms: clock.now() - stepBegan });
    return started;
  };
  try {
    return { outcome: "running", steps, addresses: await start(begin), ms: clock.now() - began };
  } catch (thrown) {
    if (!(thrown instanceof StartInterrupted)) {
      emit({ type: "step-failed", step: current, error: thrown });
      return { outcome: "failed", steps, error: thrown };
    }
    const cause = thrown.reason;
    if (cause.kind === "uncaught" || cause.kind === "server-ended") {
      emit({ type: "step-failed", step: current, error: cause.error });
      return { outcome: "failed", steps, error: cause.error };
    }
    emit({ type: "start-interrupted", step: current, cause });
    return { outcome: "interrupted", steps, cause };
  }
}

/** There is a cause to stop before everything has started. */
class StartInterrupted extends Error {
  override readonly name = "StartInterrupted";
  readonly reason: Cause;

  constructor(cause: Cause) {
    super(cause.kind);
    this.reason = cause;
  }
}

/** What a start gives, unless a cause to stop comes sooner. */
async function raceOf<T>(started: T | Promise<T>, cause: Promise<Cause>): Promise<T> {
  const interrupted = cause.then((each): never => {
    throw new StartInterrupted(each);
  });
  return await Promise.race([started, interrupted]);
}

async function drain({ settings, clock, emit }: Lifecycle, steps: readonly StartedStep[], cause: Cause, ended: AbortSignal): Promise<void> {
  // Who has ended by itself serves nobody during a drain, and no balancer waits for who has lost its master.
  const drainTimeMs = cause.kind === "server-ended" || cause.kind === "orphaned" ? 0 : settings.drainTimeMs;
  emit({ type: "shutdown", cause, drainTimeMs });
  for (const step of steps) {
    try {
      step.drain(cause);
    } catch (error) {
      emit({ type: "drain-failed", step: step.name, error });
    }
  }
  if (drainTimeMs > 0) await wait(clock, drainTimeMs, ended);
}

interface LaterCauses {
  /** Aborts when a second signal ends the drain. */
  readonly drainEnd: AbortSignal;
  /** Aborts when what is in progress is to be cut before the deadline. */
  readonly cut: AbortSignal;
  /** Whether an error that nobody caught came after the first cause. */
  failed(): boolean;
}

/** The second signal ends the drain, the third the process; errors are reported and remembered. */
function followLaterCauses({ causes, emit, exit, signalsHurry = true }: Lifecycle): LaterCauses {
  const drainEnd = new AbortController();
  const cut = new AbortController();
  let failed = false;
  causes.onLater((cause) => {
    if (cause.kind === "uncaught") {
      failed = true;
      emit({ type: "error-during-shutdown", cause });
    } else if (cause.kind === "hurried") {
      if (!drainEnd.signal.aborted) emit({ type: "drain-ended-early", cause });
      drainEnd.abort();
      if (cause.ends === "cut") cut.abort();
    } else if (cause.kind !== "signal" || !signalsHurry) {
      return;
    } else if (drainEnd.signal.aborted) {
      const exitCode = exitCodeAfter({ kind: "signal-repeated", signal: cause.signal });
      emit({ type: "signal-repeated", signal: cause.signal, exitCode });
      exit(exitCode);
    } else {
      emit({ type: "drain-ended-early", cause });
      drainEnd.abort();
    }
  });
  return { drainEnd: drainEnd.signal, cut: cut.signal, failed: () => failed };
}

/** Stops in reverse, all by one deadline; what fails or overruns is reported, and the rest goes on. True when something was lost. */
async function stopSteps(
  { settings, clock, emit, requests }: Lifecycle,
  started: readonly StartedStep[],
  cut: AbortSignal,
): Promise<boolean> {
  if (started.length === 0) return false;
  const deadline = new AbortController();
  const end = (): void => {
    if (deadline.signal.aborted) return;
    const unfinished = requests();
    if (unfinished.length > 0) emit({ type: "deadline", requests: unfinished });
    deadline.abort();
  };
  const cancel = clock.after(settings.stopTimeoutMs, end);
  whenAborted(cut, end);
  let lost = false;
  for (const step of [...started].reverse()) {
    lost = (await stopStep(step, deadline.signal, clock, emit)) || lost;
  }
  cancel();
  return lost;
}

async function stopStep(step: StartedStep, deadline: AbortSignal, clock: Clock, emit: Emit): Promise<boolean> {
  const done = new AbortController();
  const overrun = overrunOf(deadline, clock, done.signal);
  try {
    const result = await Promise.race([step.stop(deadline), overrun]);
    if (result === "overran") {
      emit({ type: "stop-overran", step: step.name });
      return true;
    }
    const cut = result?.cut ?? 0;
    if (cut > 0) emit({ type: "cut", step: step.name, count: cut });
    return cut > 0;
  } catch (error) {
    emit({ type: "stop-failed", step: step.name, error });
    return true;
  } finally {
    done.abort();
  }
}

/** Resolves when a step has gone on for too long after the deadline. */
function overrunOf(deadline: AbortSignal, clock: Clock, done: AbortSignal): Promise<"overran"> {
  return new Promise((resolve) => {
    const begin = (): void => {
      void wait(clock, overrunMs, done).then(() => resolve("overran"));
    };
    whenAborted(deadline, begin, done);
  });
}

function endOf(start: Start, cause: Cause | undefined, lost: boolean): End {
  if (start.outcome === "failed") return { kind: "start-failed", error: start.error };
  if (start.outcome === "interrupted") return { kind: "start-interrupted", cause: start.cause, lost };
  if (cause === undefined) throw new TypeError("a process that runs stops for a cause");
  return { kind: "served", cause, lost };
}
