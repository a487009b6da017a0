import { EventEmitter } from "node:events";

export type Phase = "STARTING" | "RUNNING" | "SHUTTING_DOWN";

/** What an app may ask about the process that it runs in. */
export interface ServerState {
  readonly state: Phase;
  /** Whether the stop signal has come; readiness fails from then on. */
  readonly shutting_down: boolean;
  /** Calls back at once when the stop signal comes, before the drain. */
  once(event: "shutdown", listener: () => void): unknown;
  off(event: "shutdown", listener: () => void): unknown;
}

/** The side of the state that only the lifecycle turns. */
export interface MutableServerState extends ServerState {
  enter(phase: Phase): void;
}

/** A state of its own, as tests need it; a process has one, `SERVER_STATE`. */
export function makeServerState(): MutableServerState {
  const events = new EventEmitter();
  // Every pool of an app may wait for the shutdown: that is no leak.
  events.setMaxListeners(0);
  let phase: Phase = "STARTING";
  const state: MutableServerState = {
    get state() {
      return phase;
    },
    get shutting_down() {
      return phase === "SHUTTING_DOWN";
    },
    once: (event, listener) => events.once(event, listener),
    off: (event, listener) => events.off(event, listener),
    enter: (next) => {
      const begins = next === "SHUTTING_DOWN" && phase !== next;
      phase = next;
      if (begins) events.emit("shutdown");
    },
  };
  return state;
}

const stateKey = Symbol.for("tsserve.SERVER_STATE");

/** The state of this process: one, even where an app brings a copy of this package of its own. */
export const SERVER_STATE: MutableServerState = ((globalThis as { [stateKey]?: MutableServerState })[stateKey] ??= makeServerState());
