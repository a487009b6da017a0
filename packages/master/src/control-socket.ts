import { createServer, type Server, type Socket } from "node:net";
import { listenAtPath, type PlacedSocket } from "@tsserve/listener";
import { answerTo, handOver, type ControlCommands, type ControlMessage } from "./control-commands.ts";
import { formatEinhornMessage, parseEinhornMessage } from "./einhorn-message.ts";

/** A longer line is nobody's command. */
const longestLine = 64 * 1024;
const idleTimeoutMs = 10 * 60_000;
/** How often it is looked whether the file is still there. */
const lookIntervalMs = 1000;

export interface ControlSocketOptions {
  /** At most as long as a unix socket's path may be. */
  readonly path: string;
  readonly commands: ControlCommands;
  /** Called once a second: makes anew what the file's place needs, such as its folder. */
  keep?(): void;
  /** Something is strange, and nothing else comes of it: a line that is no command, a file that has been removed. */
  warn(message: string): void;
}

/**
 * The socket where people command, and Einhorn's workers acknowledge: one JSON object a line, one answer a line;
 * Einhorn's shell is understood, too. Only the user that the process runs as may connect (mode 0600). Where its file is
 * removed, as cleaners of folders for temporary files do, it is made anew; who is connected stays so.
 */
export class ControlSocket {
  readonly path: string;
  readonly #options: ControlSocketOptions;
  /** Those who are connected, and how each is let go. */
  readonly #connections = new Map<Socket, () => void>();
  #server: Server;
  #placed: PlacedSocket;
  #timer: NodeJS.Timeout;
  #isBroken = false;

  private constructor(options: ControlSocketOptions, server: Server, placed: PlacedSocket) {
    this.path = options.path;
    this.#options = options;
    this.#server = server;
    this.#placed = placed;
    this.#accept(server);
    this.#timer = setTimeout(() => void this.#look(), lookIntervalMs).unref();
  }

  /**
   * Listens at the path.
   *
   * @throws {ListenError} when the path can't be used: a live process has it, say
   */
  static async open(options: ControlSocketOptions): Promise<ControlSocket> {
    const { server, placed } = await listen(options.path);
    return new ControlSocket(options, server, placed);
  }

  /** Removes the file, and takes nobody any more. Whoever waits for an answer still gets it. */
  close(): void {
    clearTimeout(this.#timer);
    this.#placed.remove();
    this.#server.close();
    for (const letGo of this.#connections.values()) letGo();
  }

  #accept(server: Server): void {
    server.on("connection", (socket) => {
      const forget = (): void => void this.#connections.delete(socket);
      this.#connections.set(socket, serve(socket, this.#options, forget));
      socket.once("close", () => this.#connections.delete(socket));
    });
    server.on("error", (error) => this.#options.warn(`the control socket: ${error.message}`));
  }

  async #look(): Promise<void> {
    this.#options.keep?.();
    if (!this.#placed.isThere()) await this.#openAnew();
    this.#timer = setTimeout(() => void this.#look(), lookIntervalMs).unref();
  }

  async #openAnew(): Promise<void> {
    try {
      const { server, placed } = await listen(this.path);
      this.#server.close();
      this.#server = server;
      this.#placed = placed;
      this.#accept(server);
      this.#isBroken = false;
      this.#options.warn(`the control socket ${this.path} had been removed: it is there again`);
    } catch (error) {
      // Somebody else has the path, or the folder has gone, too: it is tried again.
      if (!this.#isBroken)
        this.#options.warn(`the control socket has been removed, and can't be made anew yet: ${(error as Error).message}`);
      this.#isBroken = true;
    }
  }
}

async function listen(path: string): Promise<{ readonly server: Server; readonly placed: PlacedSocket }> {
  const server = createServer();
  return { server, placed: await listenAtPath(server, path, { mode: 0o600 }) };
}

/**
 * @param forget is called when the connection is somebody else's from now on
 * @returns lets the connection go as soon as nothing is waited for
 */
function serve(socket: Socket, { commands, warn }: ControlSocketOptions, forget: () => void): () => void {
  const parts: string[] = [];
  let length = 0;
  let waiting = 0;
  let hasWarned = false;
  let isOver = false;
  socket.setEncoding("utf8");
  // Whoever waits for the end of an upgrade is not idle.
  socket.setTimeout(idleTimeoutMs, () => (waiting === 0 ? socket.destroy() : undefined));
  // Whoever has gone is no reason to fail.
  socket.on("error", () => undefined);
  const strange = (text: string): void => {
    if (!hasWarned) warn(`the control socket: no command: ${JSON.stringify(text.slice(0, 100))}`);
    hasWarned = true;
  };
  /** From here on the connection is somebody else's. */
  const give = (line: string): ReturnType<typeof handOver> => {
    const handed = handOver(parseJson(line) ?? {}, commands, socket);
    if (handed !== "done") return handed;
    socket.removeAllListeners("data").removeAllListeners("timeout").setTimeout(0);
    forget();
    return handed;
  };
  const take = (line: string): void => {
    if (line.trim() === "") return;
    const handed = parseJson(line)?.["command"] === "repl" ? give(line) : "not asked";
    if (handed === "done") return;
    waiting += 1;
    const answering = handed === "not asked" ? answer(line, commands, strange) : Promise.resolve(JSON.stringify({ ok: false, ...handed }));
    void answering.then((given) => {
      waiting -= 1;
      if (given !== undefined) write(socket, given);
      if (isOver && waiting === 0) socket.end();
    });
  };
  socket.on("data", (text: string) => {
    const [first = "", ...more] = text.split("\n");
    parts.push(first);
    length += first.length;
    for (const line of more) {
      take(parts.splice(0).join(""));
      parts.push(line);
      length = line.length;
    }
    if (length <= longestLine) return;
    strange(parts.join(""));
    write(socket, JSON.stringify({ ok: false, error: `a line is longer than ${longestLine} characters` }));
    parts.length = 0;
    socket.removeAllListeners("data").resume().end();
  });
  return () => {
    isOver = true;
    if (waiting === 0) socket.end();
  };
}

/** A worker's ACK expects no answer: `undefined`. */
async function answer(line: string, commands: ControlCommands, strange: (text: string) => void): Promise<string | undefined> {
  const message = parseJson(line);
  const asked = message === undefined ? parseEinhornMessage(line) : undefined;
  const given = await answerTo(message ?? (asked === undefined ? {} : withArguments(asked)), commands, () => strange(line));
  if (given === undefined) return undefined;
  if (asked === undefined) return JSON.stringify(given);
  return formatEinhornMessage({ message: inWords(given), ...(asked["id"] === undefined ? {} : { request_id: asked["id"] }) });
}

/** Einhorn's shell has arguments without names. */
function withArguments(message: ControlMessage): ControlMessage {
  const [first]: unknown[] = Array.isArray(message["args"]) ? message["args"] : [];
  return first === undefined ? message : { ...message, count: first, signal: first };
}

function inWords({ ok, error, message, workers, ...rest }: ControlMessage): string {
  if (ok !== true) return `Error: ${String(error)}`;
  return typeof message === "string" ? message : JSON.stringify({ ...rest, workers }, undefined, 2);
}

function parseJson(line: string): ControlMessage | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as ControlMessage) : undefined;
  } catch {
    return undefined;
  }
}

function write(socket: Socket, line: string): void {
  if (socket.writable) socket.write(`${line}\n`);
}
