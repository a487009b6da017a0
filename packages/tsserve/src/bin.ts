import { writeSync } from "node:fs";
import { hostname } from "node:os";
import { Causes } from "@tsserve/server";
import type { Host } from "./host.ts";
import { main } from "./main.ts";

// First of all: without a listener, SIGUSR1 opens Node's inspector and the others end the process.
const causes = new Causes();
for (const signal of ["SIGTERM", "SIGINT", "SIGUSR2", "SIGHUP"] as const) {
  process.on(signal, () => causes.add({ kind: "signal", signal }));
}
process.on("SIGUSR1", () => undefined);
process.on("uncaughtException", (error, origin) => {
  causes.add({ kind: "uncaught", error, origin: origin === "unhandledRejection" ? "rejection" : "exception" });
});
// Nothing is left that could ever happen: a server that holds no handle has ended.
process.on("beforeExit", () => causes.add({ kind: "server-ended" }));

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
    pause: (ms) => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms),
    now: () => performance.now(),
    later: (ms, callback) => void setTimeout(callback, ms).unref(),
  },
  causes,
  print: (text) => write(1, text),
  printError: (text) => write(2, text),
  onExit: (listener) => process.on("exit", listener),
  exit: (code) => process.exit(code),
  onSignal: (signal, listener) => process.on(signal, listener),
};

process.exit(await main(host));

/** Synchronous, so that nothing is lost at the exit; a reader that has gone is no reason to fail. */
function write(fd: number, text: string): void {
  try {
    writeSync(fd, `${text}\n`);
  } catch {
    // Nobody reads it.
  }
}
