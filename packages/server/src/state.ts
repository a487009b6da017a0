import { ownerOf } from "./guard.ts";

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

/** Calls a listener, as a guard's `tell` does: what it throws is nobody else's failure. */
type Tell = (owner: string, listener: () => unknown) => void;

/** The side of the state that only the lifecycle turns. */
export interface MutableServerState extends ServerState {
  /** @param tell calls the listeners; default: they are called as they are */
  enter(phase: Phase, tell?: Tell): void;
}

/** A state of its own, as tests need it; a process has one, `SERVER_STATE`. */
export function makeServerState(): MutableServerState {
  let listeners: { readonly owner: string; readonly listener: () => unknown }[] = [];
  let phase: Phase = "STARTING";
  const state: MutableServerState = {
    get state() {
      return phase;
    },
    get shutting_down() {
      return phase === "SHUTTING_DOWN";
    },
    once: (event, listener) => {
      if (typeof listener !== "function") throw new TypeError(`expected a listener of "${event}", found ${typeof listener}`);
      // Nothing else is ever emitted: as with any emitter, a listener of another event waits for ever.
      if (event === "shutdown") listeners.push({ owner: ownerOf("the listener of shutdown", listener), listener });
      return state;
    },
    off: (_event, listener) => {
      const index = listeners.findLastIndex((each) => each.listener === listener);
      if (index >= 0) listeners.splice(index, 1);
      return state;
    },
    enter: (next, tell = (_owner, listener) => void listener()) => {
      const begins = next === "SHUTTING_DOWN" && phase !== next;
      phase = next;
      if (!begins) return;
      const told = listeners;
      listeners = [];
      for (const { owner, listener } of told) tell(owner, listener);
    },
  };
  return state;
}

const stateKey = Symbol.for("tsserve.SERVER_STATE");

/** The state of this process: one, even where an app brings a copy of this package of its own. */
export const SERVER_STATE: MutableServerState = ((globalThis as { [stateKey]?: MutableServerState })[stateKey] ??= makeServerState());
