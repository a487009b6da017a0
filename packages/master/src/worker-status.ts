import type { Fleet, WorkerState } from "./fleet.ts";
import type { MessageFigures } from "./messages.ts";

/** One line of `tsserve ctl status`; what has not been reported yet is `null`. */
export interface WorkerStatus {
  readonly index: number;
  readonly generation: number;
  readonly pid: number | null;
  /** `resting`: up, and stepped aside for a moment. */
  readonly state: WorkerState | "resting";
  readonly age_seconds: number;
  readonly active_requests: number | null;
  readonly requests_total: number | null;
  readonly memory_bytes: number | null;
  /** 0 to 1, of the last second. */
  readonly event_loop_utilization: number | null;
  /** Of a worker that consumes queues: what its messages are like. */
  readonly messages?: {
    readonly per_second: number;
    /** From sent to the first run, the mean of the last second. */
    readonly lag_seconds: number | null;
    readonly retries_total: number;
    readonly dead_total: number;
  };
}

/** How the workers are, by their index. */
export function statusOf({ workers }: Fleet, now: number): WorkerStatus[] {
  return [...workers]
    .sort((a, b) => a.index - b.index)
    .map(({ index, generation, pid, state, rests, startedAt, figures }) => ({
      index,
      generation,
      pid: pid ?? null,
      state: state === "up" && rests ? "resting" : state,
      age_seconds: Math.round((now - startedAt) / 1000),
      active_requests: figures?.activeRequests ?? null,
      requests_total: figures?.requestsTotal ?? null,
      memory_bytes: figures?.memoryBytes || null,
      event_loop_utilization: figures?.eventLoopUtilization ?? null,
      ...(figures?.messages && { messages: messagesOf(figures.messages) }),
    }));
}

function messagesOf({ perSecond, lagSeconds, retriesTotal, deadTotal }: MessageFigures): NonNullable<WorkerStatus["messages"]> {
  return { per_second: perSecond, lag_seconds: lagSeconds ?? null, retries_total: retriesTotal, dead_total: deadTotal };
}
