import type { RequestDescription } from "./active-requests.ts";
import type { Causes } from "./causes.ts";
import { wait, type Clock } from "./clock.ts";
import type { Cause, Emit } from "./events.ts";
import { exitCodes, signalExitCode } from "./exit-codes.ts";
import type { LifecycleSettings } from "./settings.ts";
import type { MutableServerState } from "./state.ts";

/** One part of what runs: started in order, stopped in reverse. */
export interface Step {
  /** The name it has in logs: a step that hangs can be told. */
  readonly name: string;
  start(): Promise<void>;
  /** The stop signal came; everything still serves. */
  drain?(): void;
  /** Ends the step, at the latest soon after the deadline. `cut` counts the work that was lost. */
  stop?(deadline: AbortSignal): Promise<{ readonly cut: number } | void>;
}

export interface Lifecycle {
  readonly steps: readonly Step[];
  readonly settings: LifecycleSettings;
  readonly state: MutableServerState;
  readonly clock: Clock;
  readonly causes: Causes;
  readonly emit: Emit;
  /** Where the server listens, once all steps have started. */
  addresses(): readonly string[];
  /** What is in progress, for the logs. */
  requests(): readonly RequestDescription[];
  /** Ends the process at once. */
  exit(code: number): void;
}

/** How long a step may go on after the deadline, which asks it to cut what it has. */
const overrunMs = 1000;

/**
 * Runs a process from start to exit code: starts the steps, waits for a cause, drains, stops them in
 * reverse. A failed start rolls back the steps that had started, and nothing else.
 */
export async function runLifecycle(lifecycle: Lifecycle): Promise<number> {
  const { clock, emit, state, causes } = lifecycle;
  const begun = clock.now();
  const start = await startSteps(lifecycle);
  if (start.outcome === "running") {
    state.enter("RUNNING");
    emit({ type: "running", addresses: lifecycle.addresses(), ms: clock.now() - begun });
  }
  const cause = start.outcome === "running" ? await causes.first : start.cause;
  const stopped = clock.now();
  const drainEnds = followLaterCauses(lifecycle);
  state.enter("SHUTTING_DOWN");
  if (start.outcome === "running" && cause !== undefined) await drain(lifecycle, start.started, cause, drainEnds.signal);
  if (start.outcome === "running")
    emit({ type: "stopping", stopTimeoutMs: lifecycle.settings.stopTimeoutMs, requests: lifecycle.requests() });
  const lost = await stopSteps(lifecycle, start.started);
  const exitCode = exitCodeOf(start, cause, lost || drainEnds.failed());
  if (start.outcome !== "failed") emit({ type: "stopped", exitCode, ms: clock.now() - stopped });
  return exitCode;
}

interface Start {
  readonly outcome: "running" | "failed" | "interrupted";
  readonly started: readonly Step[];
  readonly cause?: Cause;
}

async function startSteps({ steps, clock, causes, emit }: Lifecycle): Promise<Start> {
  const started: Step[] = [];
  const interrupted = causes.first.then((cause) => ({ cause }));
  for (const step of steps) {
    const begun = clock.now();
    try {
      const interruption = await Promise.race([step.start(), interrupted]);
      if (interruption !== undefined) {
        // What the step has opened by now is unknown: it is stopped as well.
        return interruptedStart(interruption.cause, step, [...started, step], emit);
      }
    } catch (error) {
      emit({ type: "step-failed", step: step.name, error });
      return { outcome: "failed", started };
    }
    started.push(step);
    emit({ type: "step-started", step: step.name, ms: clock.now() - begun });
  }
  return { outcome: "running", started };
}

function interruptedStart(cause: Cause, step: Step, started: readonly Step[], emit: Emit): Start {
  if (cause.kind !== "uncaught" && cause.kind !== "server-ended") {
    emit({ type: "start-interrupted", step: step.name, cause });
    return { outcome: "interrupted", started, cause };
  }
  emit({ type: "step-failed", step: step.name, error: cause.error });
  return { outcome: "failed", started };
}

async function drain({ settings, clock, emit }: Lifecycle, started: readonly Step[], cause: Cause, ended: AbortSignal): Promise<void> {
  // Who has ended by itself serves nobody during a drain.
  const drainTimeMs = cause.kind === "server-ended" ? 0 : settings.drainTimeMs;
  emit({ type: "shutdown", cause, drainTimeMs });
  for (const step of started) step.drain?.();
  if (drainTimeMs > 0) await wait(clock, drainTimeMs, ended);
}

interface DrainEnd {
  /** Aborts when a second signal ends the drain. */
  readonly signal: AbortSignal;
  /** Whether an error that nobody caught came after the first cause. */
  failed(): boolean;
}

/** The second signal ends the drain, the third the process; errors are reported and remembered. */
function followLaterCauses({ causes, emit, exit }: Lifecycle): DrainEnd {
  const drainEnd = new AbortController();
  let failed = false;
  causes.onLater((cause) => {
    if (cause.kind === "uncaught") {
      failed = true;
      emit({ type: "error-during-shutdown", cause });
    } else if (cause.kind === "signal" && drainEnd.signal.aborted) {
      const exitCode = signalExitCode(cause.signal);
      emit({ type: "signal-repeated", signal: cause.signal, exitCode });
      exit(exitCode);
    } else if (cause.kind === "signal") {
      emit({ type: "drain-ended-early", cause });
      drainEnd.abort();
    }
  });
  return { signal: drainEnd.signal, failed: () => failed };
}

/** Stops in reverse, all by one deadline; what fails or overruns is reported, and the rest goes on. True when something was lost. */
async function stopSteps({ settings, clock, emit, requests }: Lifecycle, started: readonly Step[]): Promise<boolean> {
  if (started.length === 0) return false;
  const deadline = new AbortController();
  const cancel = clock.after(settings.stopTimeoutMs, () => {
    const unfinished = requests();
    if (unfinished.length > 0) emit({ type: "deadline", requests: unfinished });
    deadline.abort();
  });
  let lost = false;
  for (const step of [...started].reverse()) {
    lost = (await stopStep(step, deadline.signal, clock, emit)) || lost;
  }
  cancel();
  return lost;
}

async function stopStep(step: Step, deadline: AbortSignal, clock: Clock, emit: Emit): Promise<boolean> {
  if (step.stop === undefined) return false;
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
    if (deadline.aborted) begin();
    else deadline.addEventListener("abort", begin, { once: true, signal: done });
  });
}

function exitCodeOf(start: Start, cause: Cause | undefined, lost: boolean): number {
  if (start.outcome === "failed") return exitCodes.neverServed;
  if (lost || cause?.kind === "uncaught" || cause?.kind === "server-ended") return exitCodes.lost;
  return exitCodes.stopped;
}
