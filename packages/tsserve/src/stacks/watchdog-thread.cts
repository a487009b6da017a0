// The watchdog thread. CommonJS, and only modules of Node, most of them only once there is something to
// do: what it loads, every process pays for.
/* oxlint-disable typescript/no-require-imports */
const { workerData, parentPort } = require("node:worker_threads") as typeof import("node:worker_threads");

type WatchdogData = import("./shared.ts", { with: { "resolution-mode": "import" } }).WatchdogData;
type WatchForBlocks = import("./shared.ts", { with: { "resolution-mode": "import" } }).WatchForBlocks;
type ObserveMainThread = import("./shared.ts", { with: { "resolution-mode": "import" } }).ObserveMainThread;
type ProfileDesk = import("../profiles/shared.ts", { with: { "resolution-mode": "import" } }).ProfileDesk;
type MakeDesk = import("../profiles/shared.ts", { with: { "resolution-mode": "import" } }).MakeDesk;
type ProfileRequest = import("@tsserve/master", { with: { "resolution-mode": "import" } }).WatchdogRequest;
type CallFrame = import("node:inspector").Debugger.CallFrame;
type Script = import("node:inspector").Debugger.ScriptParsedEventDataType;

interface SignalHandle {
  onsignal: () => void;
  start(signum: number): number;
  unref(): void;
}

const { shared, cells, rests, pid, hostname, stopSignals, settings } = workerData as WatchdogData;

let desk: ProfileDesk | undefined;

/** How long the main thread has to answer by itself. */
const answerWithinMs = 100;
/** How long it has to hear of a signal: a start may well load large modules without a pause. */
const hearWithinMs = 1000;
/** How long to wait for a stack: native code can't be interrupted, the pause comes when it returns. */
const pauseWithinMs = 30_000;
/** From the third signal that asks to stop, when the main thread can't be interrupted. */
const killAfterMs = 5000;

const { internalBinding } = require("internal/test/binding") as {
  internalBinding(name: "signal_wrap"): { Signal: new () => SignalHandle };
};
const { Signal } = internalBinding("signal_wrap");

function onSignal(signum: number, listener: () => void): void {
  const handle = new Signal();
  handle.onsignal = listener;
  handle.start(signum);
}

onSignal((require("node:os") as typeof import("node:os")).constants.signals.SIGUSR1, () => {
  // The main thread may well have been the first of the two to hear of it.
  const heardAt = Atomics.load(shared, cells.heardAt);
  const isRecent = sinceMs(heardAt) < answerWithinMs;
  if (!isRecent && Atomics.wait(shared, cells.heardAt, heardAt, answerWithinMs) === "timed-out") dump(bySignal);
});

// SIGURG, which is ignored where nobody listens: a profile is asked for, over the line to the master or a socket.
onSignal((require("node:os") as typeof import("node:os")).constants.signals.SIGURG, () => profileDesk().open());

let stops = 0n;
for (const [signal, signum] of Object.entries(stopSignals)) {
  onSignal(signum, () => {
    stops += 1n;
    setTimeout(endIfStuck, stops < 3n ? hearWithinMs : answerWithinMs, signal, stops);
  });
}

// A thread whose only handles are foreign ones would end. What is asked over this port is the main thread's to hear of as well.
parentPort?.on("message", (request: ProfileRequest) => profileDesk().ask(request, (answer) => parentPort.postMessage(answer)));
parentPort?.postMessage("listening");

/** Loaded by the first who asks. */
function profileDesk(): ProfileDesk {
  Atomics.store(shared, cells.isProfiled, 1n);
  const { makeDesk } = loadBeside("profile-desk") as { makeDesk: MakeDesk };
  desk ??= makeDesk(settings.profiles, pid, (text) => log(text, []));
  return desk;
}

function loadBeside(name: string): unknown {
  const { join } = require("node:path") as typeof import("node:path");
  return require(join(__dirname, `${name}.cjs`)) as unknown;
}

function sinceMs(then: bigint): number {
  return Number(process.hrtime.bigint() - then) / 1e6;
}

/**
 * A signal that the main thread does not hear of, because it is stuck: one ends a start, and the third ends the process
 * at any time. Otherwise it will hear of it, and stop, when it is free again.
 */
function endIfStuck(signal: string, heard: bigint): void {
  if (Atomics.load(shared, cells.stopsHeard) >= heard) return;
  const isStarting = Atomics.load(shared, cells.hasStarted) === 0n;
  if (!isStarting && heard < 3n) return;
  if (dumping) {
    setTimeout(endIfStuck, answerWithinMs, signal, heard);
    return;
  }
  dump({
    stuck: `${signal}: the event loop is stuck; this is where, and the process ends`,
    native: `${signal}: the event loop is stuck in native code; the process ends when that returns`,
    gone: `${signal}: the event loop is stuck in native code that did not return`,
    isCurrent: () => Atomics.load(shared, cells.stopsHeard) < heard,
    expression: `globalThis[Symbol.for("tsserve.endStuck")]?.(${JSON.stringify(signal)}, ${heard})`,
  });
  // What no debugger can interrupt is killed, once somebody insists.
  if (heard >= 3n) setTimeout(() => process.kill(pid, "SIGKILL"), killAfterMs);
}

/** What a stack is taken for. */
interface Occasion {
  readonly stuck: string;
  readonly native: string;
  readonly gone: string;
  /** Whether it is still to be taken. */
  isCurrent(): boolean;
  /** What the main thread is to do then, in the middle of what it does. */
  readonly expression?: string;
}

const bySignal: Occasion = {
  stuck: "SIGUSR1: the event loop is stuck; this is where",
  native: "SIGUSR1: the event loop is stuck in native code; its stack follows when that returns",
  gone: "SIGUSR1: the event loop is stuck in native code that did not return",
  isCurrent: () => true,
};

let dumping = false;

if (settings.blockedMs !== undefined) reportBlocks(settings.blockedMs);

/** What it takes is loaded where it is wanted. */
function reportBlocks(thresholdMs: number): void {
  const { watchForBlocks } = loadBeside("block-watch") as { watchForBlocks: WatchForBlocks };
  const { observeMainThread } = loadBeside("main-thread") as { observeMainThread: ObserveMainThread };
  const thread = observeMainThread(pid, process.arch);
  const nowNs = (): bigint => process.hrtime.bigint();
  const onBlock = (isCurrent: () => boolean): void =>
    dump({
      stuck: `monitoring.blocked_hub: the event loop is blocked for more than ${thresholdMs} ms; this is where`,
      native: `monitoring.blocked_hub: the event loop is blocked in native code; its stack follows when that returns`,
      gone: `monitoring.blocked_hub: the event loop is blocked in native code that did not return`,
      isCurrent,
    });
  watchForBlocks({ thresholdMs, shared, cells, rests, thread, nowNs, onBlock });
}

function dump(occasion: Occasion): void {
  if (dumping) return;
  dumping = true;
  // Counted before it is taken: the main thread must not answer as well once it is free.
  if (occasion === bySignal) Atomics.add(shared, cells.dumped, 1n);
  const { Session } = require("node:inspector") as typeof import("node:inspector");
  const session = new Session();
  session.connectToMainThread();
  const scripts = new Map<string, Script>();
  session.on("Debugger.scriptParsed", ({ params }) => scripts.set(params.scriptId, params));
  const heartbeat = setTimeout(() => log(occasion.native, []), 1000);
  const giveUp = setTimeout(() => end(occasion.gone, []), pauseWithinMs);

  const end = (message: string, stack: readonly string[], requests?: unknown): void => {
    clearTimeout(heartbeat);
    clearTimeout(giveUp);
    session.disconnect();
    dumping = false;
    log(message, stack, requests);
  };

  session.once("Debugger.paused", ({ params }) => {
    if (!occasion.isCurrent()) {
      session.post("Debugger.resume");
      end(`${occasion.stuck}: it turns again, its stack could not be taken in time`, []);
      return;
    }
    const expression = `globalThis[Symbol.for("tsserve.requests")]?.()`;
    const finish = (requests: unknown): void => {
      const stack = params.callFrames.map((frame) => formatFrame(frame, scripts));
      if (occasion.expression !== undefined) {
        log(occasion.stuck, stack, requests);
        session.post("Runtime.evaluate", { expression: occasion.expression }, () => session.disconnect());
        return;
      }
      session.post("Debugger.resume");
      end(occasion.stuck, stack, requests);
      if (occasion !== bySignal) parentPort?.postMessage({ at: Date.now(), stack: stack.join("\n"), requests: requests ?? [] });
    };
    // Not on the frame that is stuck: what its module calls `Symbol` may be something else, or not to be had there.
    session.post("Runtime.evaluate", { expression, silent: true, returnByValue: true }, (error, result) => {
      finish(error === null ? parse(result.result.value) : undefined);
    });
  });
  session.post("Debugger.enable", () => session.post("Debugger.pause"));
}

function parse(text: unknown): unknown {
  return typeof text === "string" ? (JSON.parse(text) as unknown) : undefined;
}

function formatFrame(frame: CallFrame, scripts: ReadonlyMap<string, Script>): string {
  const script = scripts.get(frame.location.scriptId);
  const name = frame.functionName === "" ? "<anonymous>" : frame.functionName;
  const line = frame.location.lineNumber;
  const column = frame.location.columnNumber ?? 0;
  const url = frame.url === "" ? (script?.url ?? "<unknown>") : frame.url;
  return `    at ${name} (${original(url, script, line, column) ?? `${plainPath(url)}:${line + 1}:${column + 1}`})`;
}

/** The place in the source that a compiled script was made from, where its source map can be read. */
function original(url: string, script: Script | undefined, line: number, column: number): string | undefined {
  if (!script?.sourceMapURL) return undefined;
  const { dirname, resolve } = require("node:path") as typeof import("node:path");
  const { SourceMap } = require("node:module") as typeof import("node:module");
  try {
    const map = new SourceMap(readSourceMap(script.sourceMapURL, plainPath(url)));
    const entry = map.findEntry(line, column);
    if (!("originalSource" in entry)) return undefined;
    const source = plainPath(entry.originalSource);
    return `${resolve(dirname(plainPath(url)), source)}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
  } catch {
    return undefined;
  }
}

type SourceMapPayload = import("node:module").SourceMapPayload;

function readSourceMap(reference: string, scriptPath: string): SourceMapPayload {
  const { readFileSync } = require("node:fs") as typeof import("node:fs");
  const { dirname, resolve } = require("node:path") as typeof import("node:path");
  const inline = /^data:application\/json[^,]*?(;base64)?,(.*)$/s.exec(reference);
  const text =
    inline === null
      ? readFileSync(resolve(dirname(scriptPath), plainPath(reference)), "utf8")
      : inline[1] === undefined
        ? decodeURIComponent(inline[2] ?? "")
        : Buffer.from(inline[2] ?? "", "base64").toString("utf8");
  return JSON.parse(text) as SourceMapPayload;
}

function plainPath(url: string): string {
  return url.startsWith("file://") ? (require("node:url") as typeof import("node:url")).fileURLToPath(url) : url;
}

/** Writes the line itself: the main thread's logger is as stuck as the main thread. */
function log(msg: string, stack: readonly string[], requests?: unknown): void {
  const time = new Date().toISOString();
  const text = stack.join("\n");
  const line =
    settings.format === "json"
      ? JSON.stringify({
          level: "warn",
          time,
          pid,
          hostname,
          logger: "tsserve",
          ...(requests === undefined ? {} : { requests }),
          ...(stack.length === 0 ? {} : { stack: text }),
          msg,
        })
      : [`${time} WARN: tsserve: ${msg}`, text, requests === undefined ? "" : `    requests: ${JSON.stringify(requests)}`]
          .filter((part) => part !== "")
          .join("\n");
  try {
    (require("node:fs") as typeof import("node:fs")).writeSync(1, `${line}\n`);
  } catch {
    // Nobody reads the log, or its pipe is full: the main thread matters more.
  }
}
