import type { Environment } from "@tsserve/config";
import { newSpanId, newTraceId, readTraceparent, type RequestSpan, type RequestTrace } from "@tsserve/server";
import type { JobEnd } from "./run-job.ts";

/**
 * The trace that a job belongs to: the one that `TRACEPARENT` names, and `TRACESTATE` beside it, as whoever starts a process passes its
 * own on (opentelemetry.io/docs/specs/otel/context/env-carriers), else a new one.
 */
export function traceOfJob(env: Environment): RequestTrace {
  const parent = readTraceparent(valueOf(env, "TRACEPARENT") ?? "");
  if (parent === undefined) return { traceId: newTraceId(), spanId: newSpanId(), isNew: true };
  return { ...parent, spanId: newSpanId(), state: valueOf(env, "TRACESTATE") };
}

function valueOf(env: Environment, name: string): string | undefined {
  const value = Object.hasOwn(env, name) ? env[name] : undefined;
  return value === "" ? undefined : value;
}

export interface TracedJob {
  /** As it is called where its metrics are pushed. */
  readonly name: string;
  readonly trace: RequestTrace;
  /** Of `performance.now()`. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly end: JobEnd;
}

/** The span of a job that is over, by OpenTelemetry's semantic conventions for programs of the command line. */
export function spanOfJob({ name, trace, startedAt, endedAt, end }: TracedJob): RequestSpan {
  const { exitCode, succeeded, error, signal } = end;
  const attributes: Record<string, string | number> = { "process.exit.code": exitCode, "tsserve.outcome": outcomeOf(end) };
  if (!succeeded) attributes["error.type"] = error?.name ?? signal ?? String(exitCode);
  return { name, kind: "internal", trace, startedAt, endedAt, attributes, failure: succeeded ? undefined : failureOf(end) };
}

function outcomeOf({ succeeded, signal }: JobEnd): "succeeded" | "stopped" | "failed" {
  return succeeded ? "succeeded" : signal === undefined ? "failed" : "stopped";
}

function failureOf({ error, signal, exitCode }: JobEnd): string {
  return error?.message ?? (signal === undefined ? `the exit code was ${exitCode}` : `stopped by ${signal}`);
}
