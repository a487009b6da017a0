/**
 * The master: keeps workers alive behind one set of listening sockets, and replaces them without losing a request.
 * It speaks Einhorn's contract from the master's side, so that a worker has one path.
 */
export { openControlSocket } from "./control-socket.ts";
export { makeFleet, nextTick, step } from "./fleet.ts";
export { figuresType, Master } from "./master.ts";
export { readMessage } from "./messages.ts";

export type { ControlActions } from "./control-socket.ts";
export type { Action, Fleet, FleetEvent, FleetOptions, Step, Upgrade, UpgradeMode, Worker, WorkerState } from "./fleet.ts";
export type { MasterMessage, Message, ReadMessage, StopReason, WorkerMessage } from "./messages.ts";
export type { WorkerLimits } from "./worker-limits.ts";
export type { MasterEnd, MasterEvent, MasterOptions, MasterSockets, UpgradeResult, WorkerFigures, WorkerStatus } from "./master.ts";
