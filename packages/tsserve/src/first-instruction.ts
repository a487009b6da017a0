/**
 * Loaded before anything else, and loads nothing itself: without a listener SIGUSR1 opens Node's inspector, and the other
 * signals end the process. What comes before somebody asks for it is kept.
 */

/** The signals that ask a process to stop. */
export const stopSignals = ["SIGTERM", "SIGINT", "SIGUSR2", "SIGHUP"] as const;

/** Set by the shell's part of `bin/tsserve.js` when SIGHUP was ignored at exec, as `nohup` has it; Node itself forgets that. */
const nohupVariable = "TSSERVE_NOHUP";

type SignalListener = (signal: NodeJS.Signals) => void;

/** The one listener that the process has for each signal, and those of ours that it calls. */
export class Signals {
  readonly #listeners = new Map<NodeJS.Signals, SignalListener[]>();
  readonly #ignored = new Set<NodeJS.Signals>();
  readonly #early: NodeJS.Signals[] = [];
  readonly #heardBy: SignalListener = (signal) => {
    const listeners = this.#listeners.get(signal) ?? [];
    if (listeners.length === 0 && !this.#ignored.has(signal)) this.#early.push(signal);
    for (const listener of listeners) listener(signal);
  };

  /** Has the process hear of a signal from now on. */
  open(signal: NodeJS.Signals): void {
    if (this.#listeners.has(signal)) return;
    this.#listeners.set(signal, []);
    process.on(signal, this.#heardBy);
  }

  /** Has the process hear of a signal, and do nothing, whoever asks for it. */
  ignore(signal: NodeJS.Signals): void {
    this.#ignored.add(signal);
    this.open(signal);
  }

  /** Calls back for each of these signals; the first listener is told at once of those that came earlier. */
  on(signal: NodeJS.Signals, listener: SignalListener): void {
    if (this.#ignored.has(signal)) return;
    this.open(signal);
    this.#listeners.get(signal)?.push(listener);
    for (const each of this.#early.filter((early) => early === signal)) listener(each);
    this.#early.splice(0, this.#early.length, ...this.#early.filter((early) => early !== signal));
  }

  /** The signals that it hears of. */
  get names(): ReadonlySet<NodeJS.Signals> {
    return new Set(this.#listeners.keys());
  }

  /** Whether a listener of the process is this one, rather than the app's. */
  isOurs(listener: unknown): boolean {
    return listener === this.#heardBy;
  }

  /** Listens again where the app removed the listener with its own. */
  restore(): void {
    for (const signal of this.#listeners.keys()) if (!process.listeners(signal).includes(this.#heardBy)) process.on(signal, this.#heardBy);
  }
}

export const signals: Signals = new Signals();
signals.open("SIGUSR1");
for (const signal of stopSignals) signals.open(signal);
if (process.env[nohupVariable] === "1") signals.ignore("SIGHUP");

/** Node asks itself for it in three ways (an interrupt, a task, a handle of the event loop): each may open it once more. */
const turnsToWatch = 8;

/**
 * Where SIGUSR1 came before the first instruction, Node has opened its inspector, or is about to: that is undone, in the
 * first turns of the event loop, too. Not where the user asked for it. As `inspector.close()`, but `node:inspector` takes
 * longer to load than all the rest here.
 *
 * @see https://github.com/nodejs/node/blob/v24.x/src/inspector_agent.cc `RequestIoThreadStart`
 * @see https://github.com/nodejs/node/blob/v24.x/src/node_process_methods.cc `DebugEnd`
 */
function closeInspector(turns: number = turnsToWatch): void {
  (process as unknown as { _debugEnd?: () => void })._debugEnd?.();
  if (turns > 0) setImmediate(closeInspector, turns - 1).unref();
}

const isWanted = [...process.execArgv, process.env["NODE_OPTIONS"] ?? ""].some((each) => /--inspect(?!-port|-publish)/.test(each));
if (!isWanted) closeInspector();
