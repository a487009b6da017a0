/**
 * The master: keeps workers alive behind one set of listening sockets, and replaces them without losing a request.
 * It speaks Einhorn's contract from the master's side, so that a worker has one path. What it decides is one pure
 * function, `step`; `Master` is the loop round it.
 */
export { ControlSocket } from "./control-socket.ts";
export { makeFleet } from "./fleet.ts";
export { Master } from "./master.ts";
export { readMessage } from "./messages.ts";
export { nextTick } from "./next-tick.ts";
export { step } from "./step.ts";

export type { ControlCommands, ControlMessage, ReplOrder } from "./control-commands.ts";
export type { ControlSocketOptions } from "./control-socket.ts";
export type {
  AbandonReason,
  Action,
  Answer,
  Fleet,
  FleetEvent,
  FleetOptions,
  KillReason,
  MasterEvent,
  Step,
  Upgrade,
  UpgradeMode,
  Worker,
  WorkerState,
} from "./fleet.ts";
export type { MasterEnd, MasterOptions, MasterSockets } from "./master.ts";
export type { Result } from "./result.ts";
export type {
  MasterMessage,
  Message,
  MessageFigures,
  ProfileKind,
  ReadMessage,
  StopReason,
  WatchdogAnswer,
  WatchdogRequest,
  WorkerFigures,
  WorkerMessage,
} from "./messages.ts";
export type { ProfileOrder, ProfileResult } from "./profile-worker.ts";
export type { WorkerLimits } from "./worker-limits.ts";
export type { WorkerProcess } from "./worker-process.ts";
export type { WorkerStatus } from "./worker-status.ts";
