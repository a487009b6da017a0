import type { History } from "@tsserve/metrics/history";
import { connect } from "node:net";
import { checkUnixPath } from "@tsserve/listener";
import { exitCodes } from "@tsserve/server";
import { isTsserveError } from "@tsserve/config";
import { fleetTable, type FleetStatus } from "../fleet-table.ts";
import { historyTable } from "../history-table.ts";
import type { Host } from "../host.ts";
import { UsageError, type OptionValues } from "../options.ts";
import { controlSockets } from "../workers/control-place.ts";

const answerTimeoutMs = 10_000;
const refreshMs = 1000;

interface Answer extends Partial<FleetStatus> {
  readonly ok: boolean;
  readonly error?: string;
  readonly message?: string;
  /** Of a history. */
  readonly points?: readonly object[];
}

type Message = Readonly<Record<string, unknown>>;

/** Sends a command to a running master, or a single process, and prints what it says. */
export async function run(host: Host, positionals: readonly string[], values: OptionValues): Promise<number> {
  const message = messageOf(positionals, values);
  try {
    const path = values.socket ?? (await onlySocket(host));
    checkUnixPath(path, "connect to");
    if (positionals[0] === "top") return await top(host, path);
    host.print(describe(await ask(path, message), values));
    return exitCodes.stopped;
  } catch (error) {
    if (isTsserveError(error, "ERR_TSSERVE_USAGE")) throw error;
    host.printError((error as Error).message);
    return 1;
  }
}

const usage = "expected tsserve ctl status|upgrade|inc|dec|workers N|signal NAME|reopen|top|history|stop";

function messageOf([command, argument, ...rest]: readonly string[], values: OptionValues): Message {
  const takesArgument = command === "workers" || command === "signal";
  if (command === undefined || rest.length > 0 || takesArgument !== (argument !== undefined)) throw new UsageError(usage);
  switch (command) {
    case "status":
    case "inc":
    case "dec":
    case "reopen":
    case "history":
      return { command };
    case "top":
      return { command: "status" };
    case "stop":
      return { command, now: values["now"] !== undefined };
    case "upgrade":
      return { command, wait: values["no-wait"] === undefined };
    case "workers":
      return { command, count: Number(argument) };
    case "signal":
      return { command, signal: argument };
    default:
      throw new UsageError(usage);
  }
}

/** Where no socket is named: that of the only process of this user that has one. */
async function onlySocket({ env }: Host): Promise<string> {
  const found = await Promise.all(controlSockets(env).map(async (each) => ((await answers(each.path)) ? [each] : [])));
  const [first, ...others] = found.flat();
  const expected = "expected --socket PATH, or TSSERVE_SOCKET: the log of the server names it";
  if (first === undefined) throw new UsageError(`${expected}; no server of this user runs here that has one`);
  if (others.length === 0) return first.path;
  throw new UsageError(`${expected}; several run here:\n${[first, ...others].map(({ pid, path }) => `  ${path} (pid ${pid})`).join("\n")}`);
}

async function answers(path: string): Promise<boolean> {
  return await ask(path, { command: "status" }).then(
    () => true,
    () => false,
  );
}

/** An upgrade may take as long as its workers do: as long as the connection is there, the answer will come. */
function ask(path: string, message: Message): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect(path);
    const fail = (reason: string): void => {
      socket.destroy();
      reject(new Error(`${path}: ${reason}`));
    };
    if (message["command"] !== "upgrade") socket.setTimeout(answerTimeoutMs, () => fail(`no answer within ${answerTimeoutMs / 1000} s`));
    socket.setEncoding("utf8");
    socket.once("error", (error: NodeJS.ErrnoException) => fail(reasons[error.code ?? ""] ?? error.message));
    socket.once("end", () => fail("the server closed the connection without an answer"));
    socket.on("data", (part: string) => {
      text += part;
      if (!text.includes("\n")) return;
      socket.destroy();
      try {
        const answer = JSON.parse(text) as Answer;
        if (answer.ok) resolve(answer);
        else reject(new Error(answer.error ?? "the server refused"));
      } catch {
        reject(new Error(`${path}: what answers is no server of tsserve`));
      }
    });
    socket.write(`${JSON.stringify(message)}\n`);
  });
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "there is no such socket: is the master running?",
  ECONNREFUSED: "nobody listens there: the master has ended without removing its socket",
  EACCES: "permission denied: the socket is for the user that the master runs as",
  ENOTSOCK: "the file is no socket",
};

function describe(answer: Answer, values: OptionValues): string {
  const { pid, generation, workers } = answer;
  if (values.json !== undefined) return JSON.stringify({ ...answer, ok: undefined });
  if (answer.points !== undefined) return historyTable(answer as unknown as History);
  if (pid === undefined || generation === undefined || workers === undefined) return answer.message ?? "OK!";
  return fleetTable({ pid, generation, workers });
}

/** The status once a second, until a signal comes or the server has gone; on a terminal each takes the place of the one before. */
async function top(host: Host, path: string): Promise<number> {
  const ended = host.causes.first.then(() => "ended" as const);
  for (;;) {
    const { pid = 0, generation = 0, workers = [] } = await ask(path, { command: "status" });
    const clear = host.stdoutIsTerminal ? "\u001b[H\u001b[J" : "";
    host.print(`${clear}${fleetTable({ pid, generation, workers })}`);
    const pause = new Promise<"passed">((resolve) => setTimeout(resolve, refreshMs, "passed"));
    if ((await Promise.race([ended, pause])) === "ended") return exitCodes.stopped;
  }
}
