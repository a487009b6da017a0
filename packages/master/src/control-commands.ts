import { asError } from "@tsserve/config";
import type { Result } from "./result.ts";
import type { Socket } from "node:net";
import { isProfileKind } from "./messages.ts";
import type { ProfileOrder, ProfileResult } from "./profile-worker.ts";
import type { WorkerStatus } from "./worker-status.ts";

/** What can be commanded: by a master for its fleet, by a single process for itself. */
export interface ControlCommands {
  status(): { readonly pid: number; readonly generation: number; readonly workers: readonly WorkerStatus[] };
  /** One line about who answers, for who connects with Einhorn's shell. */
  greeting(): string;
  /** How many workers there are to be: what `inc` and `dec` start from. */
  target(): number;
  upgrade(): Promise<Result>;
  resize(target: number): Promise<Result>;
  stop(how: "gracefully" | "cut"): Promise<Result>;
  signal(name: NodeJS.Signals): Promise<Result>;
  /** Log files are opened anew. */
  reopen(): Promise<Result>;
  /** The last hour: what was done, what happened. `undefined` where it is not kept, because metrics are off. */
  history?(): Promise<object | undefined>;
  profile(order: ProfileOrder): Promise<ProfileResult>;
  /** Hands a connection to whom its operator wants to talk to, who answers from then on; gives why not. */
  repl(order: ReplOrder, socket: Socket): string | undefined;
  /** A process says that it accepts connections, as Einhorn's workers do. */
  acknowledge(pid: number): void;
}

/** Who wants to talk to a worker. */
export interface ReplOrder {
  /** `undefined`: the first one that is up. */
  readonly worker: number | undefined;
  readonly by: string;
  /** The width of their terminal, 0 for none. */
  readonly columns: number;
}

/** What came over the socket, and what is answered. */
export type ControlMessage = Readonly<Record<string, unknown>>;

const mostWorkers = 1024;
const names = "status, upgrade, inc, dec, workers, signal, reopen, history, profile, repl and stop";
const passable: ReadonlySet<unknown> = new Set(["SIGUSR1", "SIGUSR2", "SIGTERM", "SIGINT", "SIGKILL", "SIGHUP"]);

/**
 * Does what a message says.
 *
 * @param strange is called for what is no command at all
 * @returns the answer; none for an ACK, which expects none
 */
export async function answerTo(
  message: ControlMessage,
  commands: ControlCommands,
  strange: () => void,
): Promise<ControlMessage | undefined> {
  const { command } = message;
  if (typeof command === "string") {
    // Who asks is told; nothing else comes of a command that can't be done.
    return run(command, message, commands).catch((error: unknown) => ({ ok: false, error: asError(error).message }));
  }
  strange();
  return { ok: false, error: 'expected a JSON object with a command, such as {"command":"status"}' };
}

async function run(command: string, message: ControlMessage, commands: ControlCommands): Promise<ControlMessage | undefined> {
  switch (command) {
    case "worker:ack":
      if (typeof message["pid"] === "number") commands.acknowledge(message["pid"]);
      return undefined;
    case "status":
    case "state":
      return { ok: true, ...commands.status() };
    case "upgrade": {
      const result = commands.upgrade();
      return message["wait"] === false ? { ok: true, message: "the upgrade has begun" } : result;
    }
    case "inc":
      return resize(commands.target() + countOf(message), commands);
    case "dec":
      return resize(commands.target() - countOf(message), commands);
    case "workers":
      return resize(message["count"], commands);
    case "signal":
      return signal(message["signal"], commands);
    case "reopen":
      return commands.reopen();
    case "history":
      return history(commands);
    case "profile":
      return profile(message, commands);
    case "ehlo":
      return { ok: true, message: `${commands.greeting()}; there are ${names}` };
    case "help":
      return { ok: true, message: `there are ${names}` };
    case "stop":
    case "quit":
    case "die":
      return commands.stop(message["now"] === true ? "cut" : "gracefully");
    default:
      return { ok: false, error: `unknown command ${JSON.stringify(command.slice(0, 100))}; there are ${names}` };
  }
}

/** How many more or fewer; one, when nothing is said. */
function countOf({ count = 1 }: ControlMessage): number {
  return typeof count === "number" && count > 0 ? count : Number.NaN;
}

async function resize(count: unknown, commands: ControlCommands): Promise<ControlMessage> {
  if (typeof count === "number" && Number.isInteger(count) && count >= 1 && count <= mostWorkers) return commands.resize(count);
  return { ok: false, error: `expected a number of workers from 1 to ${mostWorkers}, found ${JSON.stringify(count)}` };
}

async function history(commands: ControlCommands): Promise<ControlMessage> {
  const found = await commands.history?.();
  return found === undefined ? { ok: false, error: "the last hour is not kept, because metrics are off" } : { ok: true, ...found };
}

/** A profile of an hour is a mistake. */
const longestProfileMs = 3_600_000;

async function profile(message: ControlMessage, commands: ControlCommands): Promise<ControlMessage> {
  const { kind, worker, seconds = 10, force = false, by = "somebody" } = message;
  if (!isProfileKind(kind)) return { ok: false, error: `expected a profile of cpu, heap or snapshot, found ${JSON.stringify(kind)}` };
  if (worker !== undefined && !isIndex(worker))
    return { ok: false, error: `expected the number of a worker, found ${JSON.stringify(worker)}` };
  const ms = typeof seconds === "number" ? Math.round(seconds * 1000) : Number.NaN;
  if (!(ms > 0 && ms <= longestProfileMs))
    return {
      ok: false,
      error: `expected a number of seconds above 0, at most ${longestProfileMs / 1000}, found ${JSON.stringify(seconds)}`,
    };
  return commands.profile({ kind, worker, ms, heapsFree: force === true ? 0 : 3, by: String(by).slice(0, 100) });
}

/** Hands the connection over, where that is what a message asks for; gives why not, or that it asks for something else. */
export function handOver(
  message: ControlMessage,
  commands: ControlCommands,
  socket: Socket,
): "not asked" | "done" | { readonly error: string } {
  const { command, worker, by = "somebody", columns = 0 } = message;
  if (command !== "repl") return "not asked";
  if (worker !== undefined && !isIndex(worker)) return { error: `expected the number of a worker, found ${JSON.stringify(worker)}` };
  const width = isIndex(columns) ? Math.min(columns, 10_000) : 0;
  const error = commands.repl({ worker, by: String(by).slice(0, 100), columns: width }, socket);
  return error === undefined ? "done" : { error };
}

function isIndex(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0;
}

async function signal(name: unknown, commands: ControlCommands): Promise<ControlMessage> {
  const written = typeof name === "string" ? `SIG${name.toUpperCase().replace(/^SIG/, "")}` : name;
  if (passable.has(written)) return commands.signal(written as NodeJS.Signals);
  return { ok: false, error: `expected a signal such as SIGUSR1, found ${JSON.stringify(name)}` };
}
