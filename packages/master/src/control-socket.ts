import { chmodSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { clearStaleSocket, listenError } from "@tsserve/listener";
import { formatEinhornMessage, parseEinhornMessage } from "./einhorn-message.ts";
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
 * The socket where workers acknowledge and people command: one JSON object a line, one answer a line; Einhorn's shell is
 * understood, too. Only the user that the master runs as may connect (mode 0600).
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
    write(socket, JSON.stringify({ ok: false, error: `a line is longer than ${longestLine} characters` }));
    rest = "";
    socket.removeAllListeners("data").resume().end();
  });
}

async function answer(line: string, socket: Socket, master: Master, actions: ControlActions): Promise<void> {
  const message = parseJson(line);
  if (message !== undefined) {
    const given = await answerTo(message, master, actions);
    if (given !== undefined) write(socket, JSON.stringify(given));
    return;
  }
  const asked = parseEinhornMessage(line);
  const given = await answerTo(asked === undefined ? {} : withArguments(asked), master, actions);
  if (given === undefined) return;
  if (asked === undefined) write(socket, JSON.stringify(given));
  else write(socket, formatEinhornMessage({ message: inWords(given), ...(asked["id"] === undefined ? {} : { request_id: asked["id"] }) }));
}

type Message = Readonly<Record<string, unknown>>;

/** A worker's ACK expects no answer: `undefined`. */
async function answerTo(message: Message, master: Master, actions: ControlActions): Promise<Message | undefined> {
  const { command } = message;
  if (typeof command !== "string") return { ok: false, error: 'expected a JSON object with a command, such as {"command":"status"}' };
  if (command !== "worker:ack") return run(command, message, master, actions);
  if (typeof message["pid"] === "number") master.acknowledge(message["pid"]);
  return undefined;
}

/** Einhorn's shell has arguments without names. */
function withArguments(message: Message): Message {
  const [first]: unknown[] = Array.isArray(message["args"]) ? message["args"] : [];
  return first === undefined ? message : { ...message, count: first, signal: first };
}

function inWords({ ok, error, message, workers, ...rest }: Message): string {
  if (ok !== true) return `Error: ${String(error)}`;
  return typeof message === "string" ? message : JSON.stringify({ ...rest, workers }, undefined, 2);
}

async function run(command: string, message: Message, master: Master, actions: ControlActions): Promise<Message> {
  switch (command) {
    case "status":
    case "state":
      return { ok: true, pid: process.pid, generation: master.generation, workers: master.status() };
    case "upgrade":
      return upgrade(message["wait"] !== false, actions);
    case "inc":
      return resize(master.target + numberOf(message), master);
    case "dec":
      return resize(master.target - numberOf(message), master);
    case "workers":
      return resize(message["count"], master);
    case "signal":
      return signal(message["signal"], master);
    case "ehlo":
      return { ok: true, message: `tsserve, master ${process.pid} of ${master.target} workers; ${commands}` };
    case "help":
      return { ok: true, message: commands };
    case "stop":
    case "quit":
    case "die":
      actions.stop();
      return { ok: true, message: "stopping" };
    default:
      return { ok: false, error: `unknown command "${command}"; ${commands}` };
  }
}

const commands = "there are status, upgrade, inc, dec, workers, signal and stop";

/** How many more or fewer; one, when nothing is said. */
function numberOf({ count = 1 }: Message): number {
  return typeof count === "number" && count > 0 ? count : Number.NaN;
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

function parseJson(line: string): Message | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Message) : undefined;
  } catch {
    return undefined;
  }
}

function write(socket: Socket, line: string): void {
  if (socket.writable) socket.write(`${line}\n`);
}
