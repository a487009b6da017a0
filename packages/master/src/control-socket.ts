import { chmodSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { clearStaleSocket, listenError } from "@tsserve/listener";
import type { Master } from "./master.ts";

/** A longer line is nobody's command. */
const longestLine = 64 * 1024;
const idleTimeoutMs = 10 * 60_000;

/** What the master does beside what `Master` does, for commands. */
export interface ControlActions {
  stop(): void;
  /** Reads what the file says anew, and upgrades. */
  upgrade(): ReturnType<Master["upgrade"]>;
}

/**
 * The socket where workers acknowledge and people command: one JSON object a line, one answer a line. Only the
 * user that the master runs as may connect (mode 0600).
 *
 * @throws {ListenError} when the path can't be used
 */
export async function openControlSocket(path: string, master: Master, actions: ControlActions): Promise<Server> {
  await clearStaleSocket(path);
  const server = createServer((socket) => serve(socket, master, actions));
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(listenError(error, path)));
    const mask = process.umask(0o177);
    server.listen(path, resolve);
    process.umask(mask);
  });
  chmodSync(path, 0o600);
  return server;
}

function serve(socket: Socket, master: Master, actions: ControlActions): void {
  let rest = "";
  socket.setEncoding("utf8");
  socket.setTimeout(idleTimeoutMs, () => socket.destroy());
  // Whoever has gone is no reason to fail.
  socket.on("error", () => undefined);
  socket.on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line.trim() !== "") void answer(line, socket, master, actions);
    if (rest.length <= longestLine) return;
    reply(socket, { ok: false, error: `a line is longer than ${longestLine} characters` });
    rest = "";
    socket.removeAllListeners("data").resume().end();
  });
}

async function answer(line: string, socket: Socket, master: Master, actions: ControlActions): Promise<void> {
  const message = parse(line);
  const { command } = message ?? {};
  if (message === undefined || typeof command !== "string") {
    reply(socket, { ok: false, error: 'expected a JSON object with a command, such as {"command":"status"}' });
    return;
  }
  // A worker expects no answer.
  if (command === "worker:ack") {
    if (typeof message["pid"] === "number") master.acknowledge(message["pid"]);
    return;
  }
  reply(socket, await run(command, message, master, actions));
}

type Message = Readonly<Record<string, unknown>>;

async function run(command: string, message: Message, master: Master, actions: ControlActions): Promise<Message> {
  switch (command) {
    case "status":
    case "state":
      return { ok: true, pid: process.pid, generation: master.generation, workers: master.status() };
    case "upgrade":
      return upgrade(message["wait"] !== false, actions);
    case "inc":
      return resize(master.target + 1, master);
    case "dec":
      return resize(master.target - 1, master);
    case "workers":
      return resize(message["count"], master);
    case "signal":
      return signal(message["signal"], master);
    case "stop":
    case "quit":
    case "die":
      actions.stop();
      return { ok: true, message: "stopping" };
    default:
      return { ok: false, error: `unknown command "${command}"; there are status, upgrade, inc, dec, workers, signal and stop` };
  }
}

async function upgrade(waits: boolean, actions: ControlActions): Promise<Message> {
  const result = actions.upgrade();
  if (!waits) return { ok: true, message: "the upgrade has begun" };
  const outcome = await result;
  if (!outcome.ok) return { ok: false, error: outcome.reason };
  return { ok: true, message: `generation ${outcome.generation} is up after ${Math.round(outcome.ms)} ms`, generation: outcome.generation };
}

function resize(count: unknown, master: Master): Message {
  if (typeof count !== "number" || !Number.isInteger(count) || count < 1 || count > 1024)
    return { ok: false, error: `expected a number of workers from 1 to 1024, found ${JSON.stringify(count)}` };
  master.resize(count);
  return { ok: true, message: `workers: ${count}` };
}

const passable: ReadonlySet<unknown> = new Set(["SIGUSR1", "SIGUSR2", "SIGTERM", "SIGINT", "SIGKILL", "SIGHUP"]);

function signal(name: unknown, master: Master): Message {
  const written = typeof name === "string" ? `SIG${name.toUpperCase().replace(/^SIG/, "")}` : name;
  if (!passable.has(written)) return { ok: false, error: `expected a signal such as SIGUSR1, found ${JSON.stringify(name)}` };
  master.signal(written as NodeJS.Signals);
  return { ok: true, message: `sent ${String(written)} to every worker` };
}

function parse(line: string): Message | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Message) : undefined;
  } catch {
    return undefined;
  }
}

function reply(socket: Socket, message: Message): void {
  if (socket.writable) socket.write(`${JSON.stringify(message)}\n`);
}
