import { stackHere } from "@tsserve/config";
import { exitCodeAfter, type ActiveRequests, type End } from "@tsserve/server";
import type { Logger } from "pino";
import type { Signals } from "../first-instruction.ts";
import { placeOfCaller } from "./place-of-caller.ts";

type Phase = Extract<End, { kind: "exited" }>["during"];

export interface ProcessGuardParts {
  /** The process itself; a test has one of its own. */
  readonly process: GuardedProcess;
  readonly signals: Pick<Signals, "isOurs" | "restore" | "names">;
  readonly log: Logger;
  readonly requests: ActiveRequests;
  /** Whether it is tsserve that ends the process. */
  readonly endsByUs: () => boolean;
  /** How far the process is. */
  readonly phase: () => Phase;
  /** Tells of an end of the start, where people look for it. */
  readonly tellFailure: (message: string) => void;
}

/** What is guarded of `process`. */
export type GuardedProcess = Pick<
  NodeJS.Process,
  | "on"
  | "off"
  | "listeners"
  | "rawListeners"
  | "removeListener"
  | "removeAllListeners"
  | "eventNames"
  | "kill"
  | "abort"
  | "pid"
  | "exitCode"
> & {
  /** What `process.exit` ends with, and what others call to skip its listeners. */
  reallyExit(code?: number | string | null): never;
  prependListener(event: "exit", listener: (code: number) => void): unknown;
};

export interface ProcessGuard {
  /** The app is built: tells, in one line, of the handlers that it has by now; later ones are told of one by one. */
  tellHandlers(): void;
}

/** Handlers of the app that meddle with what is ours to do. */
const watchedErrors: ReadonlySet<unknown> = new Set(["uncaughtException", "unhandledRejection"]);
const mostRequestsTold = 20;

/**
 * Stands between the app and the process: the app's own handlers of signals and errors are named, ours stay when it removes
 * all, and an end of the app's own never loses requests in silence.
 *
 * `process.reallyExit` is undocumented, but what `process.exit` calls on the process object, so that it can be replaced.
 *
 * @see https://github.com/nodejs/node/blob/v24.x/lib/internal/process/per_thread.js `exit`
 */
export function guardProcess(parts: ProcessGuardParts): ProcessGuard {
  const { process, signals, endsByUs } = parts;
  const originals = { reallyExit: process.reallyExit, kill: process.kill, abort: process.abort };
  let told = false;
  const handlers = followHandlers(parts);

  /** Tells once of an end of the app's own; gives the exit code that it has now. */
  const tellEnd = (how: string, code: number): number => {
    const end: End = { kind: "exited", during: parts.phase(), code, lost: parts.requests.size > 0 };
    const exitCode = exitCodeAfter(end);
    if (!told) logEnd(parts, how, end, exitCode);
    told = true;
    return exitCode;
  };
  const onExit = (code: number): void => {
    if (!endsByUs()) process.exitCode = tellEnd(`process.exit(${code})`, code);
  };
  process.prependListener("exit", onExit);
  process.reallyExit = (code): never =>
    originals.reallyExit.call(process, endsByUs() ? code : tellEnd(`process.reallyExit(${code ?? ""})`, Number(code ?? 0)));
  process.kill = (pid, signal) => {
    if (endsProcess(process, pid, signal)) tellEnd(`process.kill(process.pid, "${signal ?? "SIGTERM"}")`, 1);
    return originals.kill.call(process, pid, signal);
  };
  process.abort = (): never => {
    tellEnd("process.abort()", 1);
    return originals.abort.call(process);
  };
  process.removeAllListeners = ((event?: string | symbol) => {
    for (const name of event === undefined ? process.eventNames() : [event])
      removeForeign(process, name, [onExit, handlers.onNew], signals);
    signals.restore();
    return process;
  }) as unknown as GuardedProcess["removeAllListeners"];

  return {
    tellHandlers: handlers.tell,
  };
}

function followHandlers({ process, signals, log }: ProcessGuardParts): { readonly onNew: Listener; tell(): void } {
  let found: string[] | undefined = [];
  const say = (all: readonly string[]): void =>
    log.warn(
      { handlers: all },
      `the app has process handlers of its own: ${all.join(", ")}; tsserve stops the process itself, and calls what onStop has registered`,
    );
  const onNew: Listener = (event, listener) => {
    if (!(signals.names.has(event as NodeJS.Signals) || watchedErrors.has(event)) || signals.isOurs(listener)) return;
    const text = `${String(event)} (${placeOfCaller(stackHere())})`;
    if (found === undefined) say([text]);
    else found.push(text);
  };
  // Node tells of a removal when it is done: ours listens again.
  const onRemoved: Listener = (_event, listener) => {
    if (signals.isOurs(listener)) signals.restore();
  };
  process.on("newListener", onNew);
  process.on("removeListener", onRemoved);
  return {
    onNew,
    tell: () => {
      if (found !== undefined && found.length > 0) say(found);
      found = undefined;
    },
  };
}

type Listener = (event: string | symbol, listener: unknown) => void;

/** Node's own bookkeeping of signals listens to these two: without it no signal is heard of any more. */
const bookkeeping: ReadonlySet<unknown> = new Set(["newListener", "removeListener"]);

function removeForeign(
  process: GuardedProcess,
  name: string | symbol,
  kept: readonly unknown[],
  signals: ProcessGuardParts["signals"],
): void {
  if (bookkeeping.has(name)) return;
  for (const listener of process.rawListeners(name as "exit"))
    if (!kept.includes(listener) && !signals.isOurs(listener)) process.removeListener(name, listener as () => void);
}

/** Whether such a signal to oneself ends the process, because nothing listens to it. */
function endsProcess(process: GuardedProcess, pid: number, signal: string | number | undefined): boolean {
  if (signal === 0 || (pid !== process.pid && pid !== 0 && pid !== -process.pid)) return false;
  if (signal === "SIGKILL" || signal === 9) return true;
  return (
    typeof signal === "string" &&
    /^SIG(?:ABRT|SEGV|BUS|ILL|FPE|QUIT|TRAP|ALRM)$/.test(signal) &&
    process.listeners(signal as NodeJS.Signals).length === 0
  );
}

function logEnd(
  { log, requests, tellFailure }: ProcessGuardParts,
  how: string,
  end: Extract<End, { kind: "exited" }>,
  exitCode: number,
): void {
  const place = placeOfCaller(stackHere());
  if (end.during === "start") tellFailure(`the app ended the process while it started, with ${how} (${place})`);
  const lost = requests.describe();
  for (const request of lost.slice(0, mostRequestsTold))
    log.error({ ...request }, `lost, because the app ended the process: ${request.method} ${request.route} after ${request.ageMs} ms`);
  log.error(
    { exit_code: exitCode, requests: lost.length },
    `the app ended the process itself, with ${how} (${place}); ${lost.length} requests in progress`,
  );
}
