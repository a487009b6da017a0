import type { Endpoint } from "@tsserve/config";

/**
 * What a master and its workers say to each other over the channel between them (`ChildProcess#send`, `process.send`), and
 * what the watchdog threads of workers are asked. All of it stands here, and `readMessage` is the one guard: what comes from another process is looked at before it is
 * believed. Apps may use the same channel: types that do not begin with `tsserve:` are theirs.
 */

/** What a worker that consumes queues reports of its messages. */
export interface MessageFigures {
  /** Those that left in the last second. */
  readonly perSecond: number;
  /** From their sending to their first run: the mean of the last second; `undefined` when none has begun. */
  readonly lagSeconds?: number | undefined;
  /** Since it has started. */
  readonly retriesTotal: number;
  readonly deadTotal: number;
}

/** What a worker reports of itself, once a second. */
export interface WorkerFigures {
  readonly activeRequests: number;
  /** Since it has started. */
  readonly requestsTotal: number;
  /** Resident. */
  readonly memoryBytes: number;
  /** 0 to 1, of the last second. */
  readonly eventLoopUtilization: number;
  /** Of a worker that consumes queues. */
  readonly messages?: MessageFigures | undefined;
}

/** Why a worker is to leave: its connections are told so (a WebSocket gets 1012 at an upgrade, 1001 at a stop). */
export type StopReason = "stop" | "upgrade" | "replaced";

/** What a worker says to its master. */
export type WorkerMessage =
  /** It accepts connections. Einhorn's workers say it over the control socket; ours need no file for it. */
  | { readonly type: "tsserve:acknowledge" }
  | { readonly type: "tsserve:figures"; readonly figures: WorkerFigures }
  /** It begins to leave though nobody told it to: its successor can be started. */
  | { readonly type: "tsserve:leaving"; readonly reason: string }
  /** It accepts no connections any more, as it was told, and has moved away those that it had. */
  | { readonly type: "tsserve:resting" };

/** What a master says to a worker. */
export type MasterMessage =
  /** Stop gracefully. SIGUSR2 follows, for a worker that does not listen to its channel yet: both are one order. */
  | { readonly type: "tsserve:stop"; readonly reason: StopReason }
  /** A worker that stops already: `drain` ends its drain at once, `cut` its requests in progress, too. */
  | { readonly type: "tsserve:hurry"; readonly ends: "drain" | "cut" }
  /** Open the files that you log to anew: they have been renamed. */
  | { readonly type: "tsserve:reopen" }
  /** Accept on this socket, which comes with the message, in the place of another worker. */
  | { readonly type: "tsserve:lend"; readonly set: number; readonly endpoint: Endpoint }
  /** Accept no longer on the sockets of this set. */
  | { readonly type: "tsserve:take-back"; readonly set: number }
  /** The exporter's socket, which comes with the message. */
  | { readonly type: "tsserve:metrics-socket" }
  /** Step aside for a while: readiness fails, connections are moved away, within so many milliseconds. */
  | { readonly type: "tsserve:rest"; readonly withinMs: number }
  /** Be there again; the sockets of your own set come by `tsserve:lend`. */
  | { readonly type: "tsserve:return" }
  /** Talk to the operator whose connection comes with the message. `columns`: the width of their terminal, 0 for none. */
  | { readonly type: "tsserve:repl"; readonly by: string; readonly columns: number };

/** What a profile is of: where time goes, what memory is allocated for, or all that is in memory. */
export type ProfileKind = "cpu" | "heap" | "snapshot";

/**
 * What a worker's watchdog thread is asked for. It comes over a line of its own, a pipe that no event loop stands before: what is
 * stuck can be profiled. SIGURG says that something lies in the line; a process that does not know it ignores it.
 */
export type WatchdogRequest = {
  readonly type: "tsserve:profile";
  /** Comes back with the answer. */
  readonly id: number;
  readonly kind: ProfileKind;
  /** For how long; a snapshot is of one instant. */
  readonly ms: number;
  /** How many times the heap has to be free in memory for a snapshot. */
  readonly heapsFree: number;
  /** Who asks, for the log. */
  readonly by: string;
};

export type WatchdogAnswer =
  | { readonly type: "tsserve:profile-taken"; readonly id: number; readonly path: string; readonly bytes: number }
  | { readonly type: "tsserve:profile-failed"; readonly id: number; readonly reason: string };

export type Message = WorkerMessage | MasterMessage | WatchdogRequest | WatchdogAnswer;

/** What has come over a channel: a message, something of the app's, or something that calls itself ours and is not. */
export type ReadMessage = { readonly message: Message } | { readonly foreign: true } | { readonly problem: string };

type Check = (value: unknown) => boolean;
type Fields<T> = Readonly<Record<Exclude<keyof T, "type">, Check>>;
/** For each type the fields that it must have. */
const shapes: { readonly [T in Message["type"]]: Fields<Extract<Message, { type: T }>> } = {
  "tsserve:acknowledge": {},
  "tsserve:figures": { figures: isFigures },
  "tsserve:leaving": { reason: isShortText },
  "tsserve:stop": { reason: (value) => value === "stop" || value === "upgrade" || value === "replaced" },
  "tsserve:hurry": { ends: (value) => value === "drain" || value === "cut" },
  "tsserve:reopen": {},
  "tsserve:lend": { set: isCount, endpoint: isEndpoint },
  "tsserve:take-back": { set: isCount },
  "tsserve:metrics-socket": {},
  "tsserve:resting": {},
  "tsserve:rest": { withinMs: isCount },
  "tsserve:return": {},
  "tsserve:repl": { by: isShortText, columns: isCount },
  "tsserve:profile": { id: isCount, kind: isProfileKind, ms: isCount, heapsFree: isCount, by: isShortText },
  "tsserve:profile-taken": { id: isCount, path: isShortText, bytes: isCount },
  "tsserve:profile-failed": { id: isCount, reason: isShortText },
};

/** Looks at what has come over a channel. Never throws. */
export function readMessage(value: unknown): ReadMessage {
  if (!isRecord(value)) return { foreign: true };
  const { type } = value;
  if (typeof type !== "string" || !type.startsWith("tsserve:")) return { foreign: true };
  if (!Object.hasOwn(shapes, type)) return { problem: `unknown type ${JSON.stringify(type.slice(0, 64))}` };
  const fields: Readonly<Record<string, Check>> = shapes[type as Message["type"]];
  for (const [name, check] of Object.entries(fields)) if (!check(value[name])) return { problem: `${type}: ${name} makes no sense` };
  return { message: value as unknown as Message };
}

function isFigures(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { activeRequests, requestsTotal, memoryBytes, eventLoopUtilization: utilization, messages } = value;
  const isProcess = isCount(activeRequests) && isCount(requestsTotal) && isCount(memoryBytes) && isNumber(utilization) && utilization <= 1;
  return isProcess && (messages === undefined || isMessageFigures(messages));
}

function isMessageFigures(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { perSecond, lagSeconds, retriesTotal, deadTotal } = value;
  return isNumber(perSecond) && (lagSeconds === undefined || isNumber(lagSeconds)) && isCount(retriesTotal) && isCount(deadTotal);
}

function isEndpoint(value: unknown): boolean {
  if (!isRecord(value)) return false;
  return "path" in value ? typeof value["path"] === "string" : typeof value["host"] === "string" && isCount(value["port"]);
}

export function isProfileKind(value: unknown): value is ProfileKind {
  return value === "cpu" || value === "heap" || value === "snapshot";
}

function isShortText(value: unknown): boolean {
  return typeof value === "string" && value.length <= 1024;
}

function isCount(value: unknown): boolean {
  return isNumber(value) && Number.isInteger(value);
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
