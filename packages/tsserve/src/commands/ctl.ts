import { connect } from "node:net";
import type { WorkerStatus } from "@tsserve/master";
import { exitCodes } from "@tsserve/server";
import type { Host } from "../host.ts";
import { UsageError, type OptionValues } from "../options.ts";

const answerTimeoutMs = 10_000;
/** An upgrade may take as long as its workers do. */
const upgradeTimeoutMs = 3_600_000;

interface Answer {
  readonly ok: boolean;
  readonly error?: string;
  readonly message?: string;
  readonly pid?: number;
  readonly generation?: number;
  readonly workers?: readonly WorkerStatus[];
}

/** Sends a command to a running master, and prints what it says. */
export async function run(host: Host, positionals: readonly string[], values: OptionValues): Promise<number> {
  const message = messageOf(positionals, values);
  if (values.socket === undefined) throw new UsageError("expected --socket PATH, or TSSERVE_SOCKET: the master's log names it");
  try {
    const answer = await ask(values.socket, message, message["command"] === "upgrade" ? upgradeTimeoutMs : answerTimeoutMs);
    if (!answer.ok) throw new Error(answer.error ?? "the master refused");
    host.print(describe(answer, values));
    return exitCodes.stopped;
  } catch (error) {
    host.printError((error as Error).message);
    return 1;
  }
}

type Message = Readonly<Record<string, unknown>>;

function messageOf([command, argument, ...rest]: readonly string[], values: OptionValues): Message {
  const usage = "expected tsserve ctl status|upgrade|inc|dec|workers N|signal NAME|stop";
  const takesArgument = command === "workers" || command === "signal";
  if (command === undefined || rest.length > 0 || takesArgument !== (argument !== undefined)) throw new UsageError(usage);
  switch (command) {
    case "status":
    case "inc":
    case "dec":
    case "stop":
      return { command };
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

function ask(path: string, message: Message, timeoutMs: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect(path);
    const fail = (reason: string): void => {
      socket.destroy();
      reject(new Error(`${path}: ${reason}`));
    };
    socket.setTimeout(timeoutMs, () => fail(`no answer within ${timeoutMs / 1000} s`));
    socket.setEncoding("utf8");
    socket.once("error", (error: NodeJS.ErrnoException) => fail(reasons[error.code ?? ""] ?? error.message));
    socket.once("end", () => fail("the master closed the connection without an answer"));
    socket.on("data", (part: string) => {
      text += part;
      if (!text.includes("\n")) return;
      socket.destroy();
      try {
        resolve(JSON.parse(text) as Answer);
      } catch {
        reject(new Error(`${path}: what answers is no master of tsserve`));
      }
    });
    socket.write(`${JSON.stringify(message)}\n`);
  });
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "there is no such socket: is the master running?",
  ECONNREFUSED: "nobody listens there: the master has ended without removing its socket",
  EACCES: "permission denied: the socket is for the user that the master runs as",
};

function describe(answer: Answer, values: OptionValues): string {
  if (values.json !== undefined) return JSON.stringify({ ...answer, ok: undefined });
  return answer.workers === undefined ? (answer.message ?? "OK!") : table(answer);
}

const columns: readonly (readonly [title: string, of: (worker: WorkerStatus) => string])[] = [
  ["WORKER", ({ index }) => String(index)],
  ["GEN", ({ generation }) => String(generation)],
  ["PID", ({ pid }) => String(pid ?? "-")],
  ["STATE", ({ state }) => state],
  ["AGE", ({ age_seconds: age }) => (age < 120 ? `${age} s` : age < 7200 ? `${Math.floor(age / 60)} min` : `${Math.floor(age / 3600)} h`)],
  ["ACTIVE", ({ active_requests: active }) => String(active ?? "-")],
  ["REQUESTS", ({ requests_total: total }) => String(total ?? "-")],
  ["MEMORY", ({ memory_bytes: bytes }) => (bytes === undefined ? "-" : `${Math.round(bytes / 2 ** 20)} MB`)],
  ["LOOP", ({ event_loop_utilization: part }) => (part === undefined ? "-" : `${Math.round(part * 100)} %`)],
];

function table({ pid, generation, workers = [] }: Answer): string {
  const rows = [columns.map(([title]) => title), ...workers.map((worker) => columns.map(([, of]) => of(worker)))];
  const widths = columns.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) =>
    row.map((cell, column) => (column === 3 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join("  "),
  );
  return [`master ${pid}, generation ${generation}`, ...lines].join("\n");
}
