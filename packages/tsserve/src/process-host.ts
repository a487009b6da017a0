import { writeSync } from "node:fs";
import { hostname } from "node:os";
import { Masker } from "@tsserve/config";
import { Causes, exitCodes } from "@tsserve/server";
import type { CompileCache } from "./compile-cache/compile-cache.ts";
import { signals, stopSignals } from "./first-instruction.ts";
import type { Host } from "./host.ts";
import { isTornFile } from "./logging/is-torn-file.ts";
import { main } from "./main.ts";
import { tellThrown } from "./tell-failure.ts";

/** Runs the command that this process was started for, to the end of the process. */
export async function runProcess(compileCache: CompileCache): Promise<void> {
  const host = processHost(compileCache);
  host.exit(await main(host));
}

/** This very process, handed in. */
function processHost(compileCache: CompileCache): Host {
  const causes = new Causes();
  for (const signal of stopSignals) signals.on(signal, () => causes.add({ kind: "signal", signal }));
  const onUncaught = (error: Error, origin: NodeJS.UncaughtExceptionOrigin): void => {
    if (isExiting) endAfterThrow(error, Number(process.exitCode ?? 0));
    // Who listens as well takes care of it: that is no reason to stop.
    if (process.listenerCount("uncaughtException") > 1) return;
    causes.add({ kind: "uncaught", error, origin: origin === "unhandledRejection" ? "rejection" : "exception" });
  };
  process.on("uncaughtException", onUncaught);
  // Nothing is left that could ever happen: a server that holds no handle has ended.
  process.on("beforeExit", () => causes.add({ kind: "server-ended" }));

  const masker = new Masker();

  let isEnding = false;
  let isExiting = false;
  process.on("exit", () => {
    isExiting = true;
  });
  /** A listener of the app's for the end of the process threw: Node would go on with a process that is half ended. */
  const endAfterThrow = (thrown: unknown, code: number): void => {
    isEnding = true;
    const exitCode = code === exitCodes.stopped ? exitCodes.lost : code;
    tellThrown(host, `a listener of the process's "exit"`, thrown, exitCode);
    // Once "exit" was told, its listeners are not called again.
    process.exit(exitCode);
  };
  const host: Host = {
    args: process.argv.slice(2),
    env: process.env,
    cwd: process.cwd(),
    pid: process.pid,
    ppid: process.ppid,
    hostname: hostname(),
    stdoutIsTerminal: process.stdout.isTTY === true,
    logDescriptor: {
      write: (bytes) => writeSync(1, bytes),
      isTorn: () => isTornFile(1),
      pause: (ms) => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms),
      now: () => performance.now(),
      soon: (callback) => void setImmediate(callback).unref(),
      later: (ms, callback) => void setTimeout(callback, ms).unref(),
    },
    causes,
    get stderr() {
      return process.stderr;
    },
    get terminal() {
      return { stdin: process.stdin, stdout: process.stdout };
    },
    parent: process as unknown as Host["parent"],
    masker,
    compileCache,
    print: (text) => write(1, text),
    printError: (text) => write(2, masker.mask(text)),
    onExit: (listener) => process.on("exit", listener),
    exit: (code) => {
      isEnding = true;
      try {
        process.exit(code);
      } catch (thrown) {
        endAfterThrow(thrown, code);
      }
    },
    get isEnding() {
      return isEnding;
    },
    onSignal: (signal, listener) => signals.on(signal, listener),
    signals,
    process: process as unknown as Host["process"],
  };
  return host;
}

/** Synchronous, so that nothing is lost at the exit; a reader that has gone is no reason to fail. */
function write(fd: number, text: string): void {
  try {
    writeSync(fd, `${text}\n`);
  } catch {
    // Nobody reads it.
  }
}
