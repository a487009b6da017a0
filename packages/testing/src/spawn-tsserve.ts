import { spawn, type ChildProcess, type StdioOptions } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { until } from "./until.ts";

export interface SpawnOptions {
  /** The arguments of the command. */
  readonly args: readonly string[];
  readonly cwd?: string;
  /** Over the environment of this process; `undefined` removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Descriptors for the process's own 3, 4, …, such as listening sockets. */
  readonly descriptors?: readonly number[];
  /** Default: the Node that runs this, or the one that `TSSERVE_TEST_NODE` names. */
  readonly node?: string;
  readonly nodeArgs?: readonly string[];
  /** The command's file. Default: that of the `tsserve` that is installed beside this package. */
  readonly bin?: string;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** One line of the log, as JSON. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly msg: string; readonly level: string };

/** A running `tsserve`, as a user has it: the built command in a process of its own. */
export interface TsserveProcess extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** The lines of stdout that are JSON objects. */
  readonly logs: () => LogLine[];
  /** Waits until it listens; gives the base URL of the first address, such as `http://127.0.0.1:40123`. */
  listening(): Promise<string>;
  /** Waits for a line of the log. */
  log(pattern: RegExp): Promise<LogLine>;
  kill(signal?: NodeJS.Signals): void;
  /** Waits for the end. */
  exited(timeoutMs?: number): Promise<Exit>;
}

const ownBin = join(dirname(createRequire(import.meta.url).resolve("tsserve/package.json")), "bin/tsserve.js");

/** Spawns the built command. Disposing of it kills it, and its whole family, if it still runs. */
export function spawnTsserve({
  args,
  cwd,
  env = {},
  descriptors = [],
  node = process.env["TSSERVE_TEST_NODE"] ?? process.execPath,
  nodeArgs = [],
  bin = ownBin,
}: SpawnOptions): TsserveProcess {
  const stdio: StdioOptions = ["ignore", "pipe", "pipe", ...descriptors];
  const child = spawn(node, [...nodeArgs, bin, ...args], { cwd, env: cleanEnvironment(env), stdio, detached: true });
  let stdout = "";
  let stderr = "";
  let exit: Exit | undefined;
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  child.once("close", (code, signal) => (exit = { code, signal }));
  child.once("error", (error) => (stderr += `cannot spawn ${node}: ${error.message}`));
  const evidence = (): string =>
    `--- tsserve ${args.join(" ")} (pid ${child.pid}, ${exit === undefined ? "running" : `exit ${exit.code ?? exit.signal}`})\n--- stdout\n${stdout}\n--- stderr\n${stderr}`;
  const logs = (): LogLine[] => stdout.split("\n").flatMap(parseLine);
  const log = (pattern: RegExp): Promise<LogLine> =>
    until(`a log line like ${pattern}`, () => logs().find(({ msg }) => pattern.test(msg)) ?? diedFirst(exit, evidence), {
      describe: evidence,
    });
  return {
    child,
    pid: child.pid ?? -1,
    stdout: () => stdout,
    stderr: () => stderr,
    logs,
    log,
    listening: async () => {
      const line = await log(/^listening on /);
      return (line["addresses"] as string[])[0] ?? "";
    },
    kill: (signal = "SIGTERM") => void child.kill(signal),
    exited: (timeoutMs = 40_000) => until("the end of the process", () => exit, { timeoutMs, describe: evidence }),
    [Symbol.asyncDispose]: async () => {
      if (exit !== undefined) return;
      killFamily(child);
      await until("the end of a killed process", () => exit, { describe: evidence });
    },
  };
}

function parseLine(line: string): LogLine[] {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null && "msg" in value ? [value as LogLine] : [];
  } catch {
    return [];
  }
}

function diedFirst(exit: Exit | undefined, evidence: () => string): undefined {
  if (exit !== undefined) throw new Error(`the process ended first\n${evidence()}`);
  return undefined;
}

/** What this process was told by others must not tell the one under test anything. */
function cleanEnvironment(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const foreign = /^(?:TSSERVE_|EINHORN_|LISTEN_|VITEST|NODE_ENV$|NODE_OPTIONS$|NODE_V8_COVERAGE$)/;
  const own = Object.entries(process.env).filter(([name]) => !foreign.test(name));
  const all = [...own, ...Object.entries(env)].filter((entry): entry is [string, string] => entry[1] !== undefined);
  const removed = new Set(Object.keys(env).filter((name) => env[name] === undefined));
  return Object.fromEntries(all.filter(([name]) => !removed.has(name)));
}

/** The process leads a group of its own: its children go with it. */
function killFamily(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  } catch {
    child.kill("SIGKILL");
  }
}
