import type { ReadStream, WriteStream } from "node:tty";
import type { Masker } from "@tsserve/config";
import type { Causes } from "@tsserve/server";
import type { CompileCache } from "./compile-cache/compile-cache.ts";
import type { Signals } from "./first-instruction.ts";
import type { LogDescriptor } from "./logging/log-output.ts";
import type { ErrorStream } from "./workers/forward-stderr.ts";
import type { ParentChannel } from "./workers/master-channel.ts";
import type { GuardedProcess } from "./process/guard-process.ts";

/** What lies outside the process, handed in: only `bin.ts` and `process-host.ts` touch the real ones. */
export interface Host {
  readonly args: readonly string[];
  readonly env: Record<string, string | undefined>;
  readonly cwd: string;
  readonly pid: number;
  readonly ppid: number;
  readonly hostname: string;
  readonly stdoutIsTerminal: boolean;
  /** Where the log goes: stdout. */
  readonly logDescriptor: LogDescriptor;
  /** Every reason to stop, from the first instant of the process on. */
  readonly causes: Causes;
  readonly stderr: ErrorStream;
  /** What a person types at, and reads. */
  readonly terminal: { readonly stdin: ReadStream; readonly stdout: WriteStream };
  /** The channel to the process that started this one, where there is one. */
  readonly parent: ParentChannel;
  /** Learns the secrets of each configuration that is read. */
  readonly masker: Masker;
  /** What this start has compiled can be kept for the next one. */
  readonly compileCache: CompileCache;
  /** To stdout, as it is: what is printed there is the command's own work. */
  print(text: string): void;
  /** To stderr, without secrets. */
  printError(text: string): void;
  /** Calls back as the last thing of all, however the process ends, but for a signal that it can't catch. */
  onExit(listener: () => void): void;
  /** Ends the process at once. */
  exit(code: number): void;
  /** Whether `exit` has been called: else it is the app that ends the process. */
  readonly isEnding: boolean;
  onSignal(signal: NodeJS.Signals, listener: () => void): void;
  /** The listeners of signals, and the process that they are of: for the guard that stands between it and the app. */
  readonly signals: Pick<Signals, "isOurs" | "restore" | "names">;
  readonly process: GuardedProcess;
}
