/**
 * The master: keeps workers alive behind one set of sockets, and replaces them without losing a request. So far
 * the workers as data: what has happened goes in, what is to be done comes out.
 */
export { makeFleet, nextTick, step } from "./fleet.ts";

export type { Action, Fleet, FleetEvent, FleetOptions, Step, Upgrade, UpgradeMode, Worker, WorkerState } from "./fleet.ts";
