// Where the watchdog thread is asked for profiles. CommonJS, and loaded by that thread only when somebody asks. A profile is taken
// by a thread of its own: what it needs of memory, the watchdog has not, and it goes with that thread.
/* oxlint-disable typescript/no-require-imports */
type Socket = import("node:net").Socket;
type Thread = import("node:worker_threads").Worker;
type Request = import("@tsserve/master", { with: { "resolution-mode": "import" } }).WatchdogRequest;
type Answer = import("@tsserve/master", { with: { "resolution-mode": "import" } }).WatchdogAnswer;
type ProfileTask = import("../profiles/shared.ts", { with: { "resolution-mode": "import" } }).ProfileTask;
type ProfileDesk = import("../profiles/shared.ts", { with: { "resolution-mode": "import" } }).ProfileDesk;
type MakeDesk = import("../profiles/shared.ts", { with: { "resolution-mode": "import" } }).MakeDesk;
type ProfileSettings = import("./shared.ts", { with: { "resolution-mode": "import" } }).ProfileSettings;

/** Beyond the time of a profile: native code can't be interrupted, it begins and ends when that returns. */
const patienceMs = 30_000;
/** A heap of many gigabytes takes minutes. */
const snapshotWithinMs = 15 * 60_000;
/** How long it is waited for somebody who said that he would come. */
const comesWithinMs = 10_000;
/** A longer line is nobody's request. */
const longestLine = 64 * 1024;

const { join } = require("node:path") as typeof import("node:path");
const { Worker } = require("node:worker_threads") as typeof import("node:worker_threads");

const makeDesk: MakeDesk = (settings: ProfileSettings, pid: number, log: (message: string) => void): ProfileDesk => {
  let current: Request | undefined;
  let line: Socket | undefined;
  let thread: Thread | undefined;
  let isOpen = false;

  function ask(request: Request, tell: (answer: Answer) => void): void {
    const { id, kind, by, ms } = request;
    if (current !== undefined) {
      const reason = `this worker is being profiled already: ${describe(current)}, asked for by ${current.by}`;
      tell({ type: "tsserve:profile-failed", id, reason });
      return;
    }
    current = request;
    log(`ctl profile: ${describe(request)} of ${settings.worker}, asked for by ${by}`);
    const task: ProfileTask = { request, folder: settings.folder, name: nameOf(settings.worker, pid) };
    const taker = (thread ??= new Worker(join(__dirname, "profile-thread.cjs"), { env: {}, execArgv: ["--no-warnings"] }));
    let hasAnswered = false;
    const finish = (answer: Answer): void => {
      if (hasAnswered) return;
      hasAnswered = true;
      clearTimeout(limit);
      taker.off("message", finish).off("error", onError);
      current = undefined;
      if (answer.type === "tsserve:profile-failed") log(`ctl profile: ${describe(request)} failed: ${answer.reason}`);
      else log(`ctl profile: ${describe(request)} is in ${answer.path}`);
      tell(answer);
    };
    const fail = (reason: string): void => finish({ type: "tsserve:profile-failed", id, reason: reason.slice(0, 1000) });
    const onError = (error: Error): void => {
      thread = undefined;
      fail(error.message);
    };
    const withinMs = kind === "snapshot" ? snapshotWithinMs : ms + patienceMs;
    const limit = setTimeout(() => {
      fail(`the main thread did not answer within ${withinMs / 1000} s: it is stuck in native code, which nothing can interrupt`);
      // It will get its answer one day, and nobody asks it any more.
      thread = undefined;
    }, withinMs);
    taker.on("message", finish);
    taker.on("error", onError);
    taker.postMessage(task);
  }

  /** Requests that come over a stream, a line each, and their answers. */
  function serve(stream: Socket): void {
    let text = "";
    const tell = (answer: Answer): void => {
      if (stream.writable) stream.write(`${JSON.stringify(answer)}\n`);
    };
    stream.setEncoding("utf8");
    // Whoever has gone is no reason to fail.
    stream.on("error", () => undefined);
    stream.on("data", (part: string) => {
      text += part;
      if (text.length > longestLine) stream.destroy();
      const lines = text.split("\n");
      text = lines.pop() ?? "";
      for (const each of lines) {
        const request = parse(each);
        if (request !== undefined) ask(request, tell);
      }
    });
  }

  function open(): void {
    if (settings.lineFd !== undefined) {
      const { Socket: Stream } = require("node:net") as typeof import("node:net");
      if (line === undefined) serve((line = new Stream({ fd: settings.lineFd, readable: true, writable: true })));
      // The master's end is what keeps it open, not this process.
      line.unref();
    } else if (settings.stuckFolder !== undefined && !isOpen) openSocket(settings.stuckFolder);
  }

  /**
   * For a single process, whose control socket is its event loop's: a socket of this thread's, for a moment, in a folder that only
   * its user may enter. A umask can't be set in a thread.
   */
  function openSocket(folder: string): void {
    const fs = require("node:fs") as typeof import("node:fs");
    const { createServer } = require("node:net") as typeof import("node:net");
    try {
      // What a process that was killed has left; somebody else's folder stays, and making ours fails.
      if (fs.lstatSync(folder, { throwIfNoEntry: false })?.uid === process.getuid?.()) fs.rmSync(folder, { recursive: true });
      fs.mkdirSync(folder, { mode: 0o700 });
    } catch (error) {
      log(`ctl profile: ${(error as Error).message}`);
      return;
    }
    isOpen = true;
    const server = createServer();
    const close = (): void => {
      server.close();
      fs.rmSync(folder, { recursive: true, force: true });
      isOpen = false;
    };
    const nobodyComes = setTimeout(close, comesWithinMs);
    server.once("connection", (stream) => {
      clearTimeout(nobodyComes);
      serve(stream);
      stream.once("close", close);
    });
    server.once("error", (error) => {
      clearTimeout(nobodyComes);
      log(`ctl profile: ${error.message}`);
      close();
    });
    server.listen(`${folder}/ctl.sock`);
  }

  return { ask, open };
};

function describe({ kind, ms }: Request): string {
  return kind === "snapshot" ? "a heap snapshot" : `a ${kind === "cpu" ? "CPU" : "heap"} profile for ${ms / 1000} s`;
}

/** `tsserve-worker-0-pid-4711-2026-11-26T04-46-18-123Z` */
function nameOf(worker: string, pid: number): string {
  return `tsserve-${worker.replace("the ", "").replaceAll(" ", "-")}-pid-${pid}-${new Date().toISOString().replaceAll(/[:.]/g, "-")}`;
}

/** It comes from the master, or from somebody who may enter the folder: nothing but sense is asked of it. */
function parse(line: string): Request | undefined {
  try {
    const value = JSON.parse(line) as Request;
    const isRequest = value.type === "tsserve:profile" && Number.isInteger(value.ms) && value.ms >= 0 && typeof value.by === "string";
    return isRequest && ["cpu", "heap", "snapshot"].includes(value.kind) ? value : undefined;
  } catch {
    return undefined;
  }
}

module.exports = { makeDesk };
