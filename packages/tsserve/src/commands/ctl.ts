import type { History } from "@tsserve/metrics/history";
import { connect } from "node:net";
import { checkUnixPath } from "@tsserve/listener";
import { exitCodes } from "@tsserve/server";
import { didYouMean, isTsserveError } from "@tsserve/config";
import { ctlCommands } from "../commands.ts";
import { ask, type Answer, type Message } from "../ctl/ask.ts";
import { fleetTable } from "../fleet-table.ts";
import { historyTable } from "../history-table.ts";
import type { Host } from "../host.ts";
import type { OptionValues } from "../options.ts";
import { UsageError } from "../usage-error.ts";
import { controlSockets } from "../workers/control-place.ts";

const refreshMs = 1000;
/** The upper left corner, and nothing below it. */
const clear = "\u001b[H\u001b[J";

/** Sends a command to a running master, or a single process, and prints what it says. */
export async function run(host: Host, positionals: readonly string[], values: OptionValues): Promise<number> {
  if (positionals[0] === "profile") {
    const { readProfileArguments, takeProfile } = await import("../ctl/profile.ts");
    const asked = readProfileArguments(positionals.slice(1), values);
    return reach(host, values, (path) => takeProfile(host, path, asked));
  }
  if (positionals[0] === "repl") {
    const { readReplArguments, talk } = await import("../ctl/repl.ts");
    const asked = readReplArguments(positionals.slice(1), values);
    return reach(host, values, (path) => talk(host, path, asked));
  }
  const message = messageOf(positionals, values);
  return reach(host, values, async (path) => {
    if (positionals[0] === "top") return await top(host, path);
    // An upgrade may take as long as its workers do.
    host.print(describe(await ask(path, message, message["command"] === "upgrade" ? 0 : undefined), values));
    return exitCodes.stopped;
  });
}

/** Finds the control socket, and does something with it; what fails is told. */
async function reach(host: Host, values: OptionValues, use: (path: string) => Promise<number>): Promise<number> {
  try {
    const path = values.socket ?? (await onlySocket(host));
    checkUnixPath(path, "connect to");
    return await use(path);
  } catch (error) {
    if (isTsserveError(error, "ERR_TSSERVE_USAGE")) throw error;
    host.printError((error as Error).message);
    return 1;
  }
}

const usage = `expected tsserve ctl ${ctlCommands.join("|")}`;
const names = ctlCommands.map((each) => each.replace(/ .*/, ""));

function messageOf([command, argument, ...rest]: readonly string[], values: OptionValues): Message {
  if (command !== undefined && !names.includes(command)) throw new UsageError(`${usage}, found "${command}"${didYouMean(command, names)}`);
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

/** Where no socket is named: that of the only process of this user that has one. One that is stuck counts, too. */
async function onlySocket({ env }: Host): Promise<string> {
  const found = await Promise.all(controlSockets(env).map(async (each) => ((await listens(each.path)) ? [each] : [])));
  const [first, ...others] = found.flat();
  const expected = "expected --socket PATH, or TSSERVE_SOCKET: the log of the server names it";
  if (first === undefined) throw new UsageError(`${expected}; no server of this user runs here that has one`);
  if (others.length === 0) return first.path;
  throw new UsageError(`${expected}; several run here:\n${[first, ...others].map(({ pid, path }) => `  ${path} (pid ${pid})`).join("\n")}`);
}

function listens(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

function describe(answer: Answer, values: OptionValues): string {
  const { pid, generation, workers } = answer;
  if (values.json !== undefined) return JSON.stringify({ ...answer, ok: undefined });
  if (answer.points !== undefined) return historyTable(answer as unknown as History);
  if (pid === undefined || generation === undefined || workers === undefined) return answer.message ?? "OK!";
  return fleetTable({ pid, generation, workers });
}

/**
 * The status once a second, until a signal comes. On a terminal each takes the place of the one before, and a server that has gone is
 * waited for: it is restarted, perhaps. Elsewhere its end is the end.
 */
async function top(host: Host, path: string): Promise<number> {
  const ended = host.causes.first.then(() => "ended" as const);
  const { stdout } = host.terminal;
  for (let isFirst = true; ; isFirst = false) {
    try {
      const { pid = 0, generation = 0, workers = [] } = await ask(path, { command: "status" });
      // The last row is the cursor's.
      const size = host.stdoutIsTerminal ? { columns: stdout.columns || 80, rows: (stdout.rows || 25) - 1 } : undefined;
      host.print(`${host.stdoutIsTerminal ? clear : ""}${fleetTable({ pid, generation, workers }, size)}`);
    } catch (error) {
      if (isFirst || !host.stdoutIsTerminal) throw error;
      host.print(`${clear}${(error as Error).message}\nwaiting for it`);
    }
    const pause = new Promise<"passed">((resolve) => setTimeout(resolve, refreshMs, "passed"));
    if ((await Promise.race([ended, pause])) === "ended") return exitCodes.stopped;
  }
}
