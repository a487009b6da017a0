import type { RequestDescription } from "./active-requests.ts";

/** Why a process stops. */
export type Cause =
  | { readonly kind: "signal"; readonly signal: NodeJS.Signals }
  /** Nobody caught it: an exception, or a promise's rejection. */
  | { readonly kind: "uncaught"; readonly error: unknown; readonly origin: "exception" | "rejection" }
  /** The server ended without being asked to. */
  | { readonly kind: "server-ended"; readonly error?: unknown }
  /** Our own master told this worker to stop; why is what its clients may want to know. */
  | { readonly kind: "ordered"; readonly reason: "stop" | "upgrade" | "replaced" }
  /** The master told a worker that stops already to end its drain, or to cut what it has in progress. */
  | { readonly kind: "hurried"; readonly ends: "drain" | "cut" }
  /** The master that this worker belongs to has gone. */
  | { readonly kind: "orphaned"; readonly masterPid: number };

/** What happens in the life of a server process, in the order in which it may. */
export type LifecycleEvent =
  | { readonly type: "step-started"; readonly step: string; readonly ms: number }
  | { readonly type: "step-failed"; readonly step: string; readonly error: unknown }
  | { readonly type: "running"; readonly addresses: readonly string[]; readonly ms: number }
  | { readonly type: "start-interrupted"; readonly step: string; readonly cause: Cause }
  /** Something of the user's that was called threw; nothing else ends by it. */
  | { readonly type: "callback-failed"; readonly owner: string; readonly error: unknown }
  | { readonly type: "shutdown"; readonly cause: Cause; readonly drainTimeMs: number }
  | { readonly type: "drain-failed"; readonly step: string; readonly error: unknown }
  | { readonly type: "drain-ended-early"; readonly cause: Cause }
  | { readonly type: "stopping"; readonly stopTimeoutMs: number; readonly requests: readonly RequestDescription[] }
  /** The deadline came: these requests are being cut. */
  | { readonly type: "deadline"; readonly requests: readonly RequestDescription[] }
  | { readonly type: "cut"; readonly step: string; readonly count: number }
  | { readonly type: "stop-failed"; readonly step: string; readonly error: unknown }
  | { readonly type: "stop-overran"; readonly step: string }
  | { readonly type: "error-during-shutdown"; readonly cause: Cause }
  | { readonly type: "signal-repeated"; readonly signal: NodeJS.Signals; readonly exitCode: number }
  | { readonly type: "stopped"; readonly exitCode: number; readonly ms: number };

export type Emit = (event: LifecycleEvent) => void;
