// Takes profiles of the main thread, into files, one at a time. It connects from inside the process: no port is opened, and it works
// while the event loop is stuck, since V8 interrupts what is running. It does not end before the process does: a thread that ends just
// when the main thread takes note that its session is closed would abort the process (`MainThreadInterface::Post` in
// github.com/nodejs/node/blob/main/src/inspector/main_thread_interface.cc, `shared_from_this` of what is being destroyed).
/* oxlint-disable typescript/no-require-imports */
const fs = require("node:fs") as typeof import("node:fs");
const { Session } = require("node:inspector") as typeof import("node:inspector");
const { parentPort } = require("node:worker_threads") as typeof import("node:worker_threads");
const { setTimeout: sleep } = require("node:timers/promises") as typeof import("node:timers/promises");
const { samplingIntervalUs } = require("./sampling-interval.cjs") as { samplingIntervalUs(ms: number): number };

type Answer = import("@tsserve/master", { with: { "resolution-mode": "import" } }).WatchdogAnswer;
type ProfileTask = import("../profiles/shared.ts", { with: { "resolution-mode": "import" } }).ProfileTask;
type Parameters = Readonly<Record<string, unknown>>;

const endings = { cpu: "cpuprofile", heap: "heapprofile", snapshot: "heapsnapshot" };
/** The session of the profile that is being taken. */
let session = new Session();

// A thread that waited for nothing but an answer of the inspector would end.
parentPort?.on("message", (task: ProfileTask) => {
  const path = `${task.folder}/${task.name}.${endings[task.request.kind]}`;
  take(task, path)
    .catch((error: Error): Answer => ({ type: "tsserve:profile-failed", id: task.request.id, reason: error.message }))
    .then((answer) => {
      session.disconnect();
      parentPort.postMessage(answer);
    })
    .catch(() => undefined);
});

async function take({ request, folder }: ProfileTask, path: string): Promise<Answer> {
  const { id } = request;
  const fd = openFile(folder, path);
  try {
    await takeInto(fd, request);
    return { type: "tsserve:profile-taken", id, path, bytes: fs.fstatSync(fd).size };
  } catch (error) {
    fs.rmSync(path, { force: true });
    throw (error as NodeJS.ErrnoException).syscall === "write" ? cannotWrite(folder, error as Error) : error;
  } finally {
    // A file that is removed takes its room for as long as it is open.
    fs.closeSync(fd);
  }
}

async function takeInto(fd: number, { kind, ms, heapsFree }: ProfileTask["request"]): Promise<void> {
  session = new Session();
  session.connectToMainThread();
  const ended = new Promise<never>((_, reject) => {
    // A session that stays open would hold up the end of the process.
    session.on("NodeRuntime.waitingForDisconnect" as "Debugger.paused", () => reject(new Error("the process ends")));
  });
  await post("NodeRuntime.notifyWhenWaitingForDisconnect", { enabled: true });
  await Promise.race([kind === "snapshot" ? takeSnapshot(fd, heapsFree) : takeProfile(fd, kind, ms), ended]);
}

/** Before anything is begun: nobody else may read it, and nothing that is there is overwritten. */
function openFile(folder: string, path: string): number {
  try {
    return fs.openSync(path, "wx", 0o600);
  } catch (error) {
    throw cannotWrite(folder, error as Error);
  }
}

function cannotWrite(folder: string, error: Error): Error {
  return new Error(`profile_dir: can't write to ${folder}: ${error.message}`, { cause: error });
}

async function takeProfile(fd: number, kind: "cpu" | "heap", ms: number): Promise<void> {
  const isCpu = kind === "cpu";
  const [domain, begin, end] = isCpu ? ["Profiler", "start", "stop"] : ["HeapProfiler", "startSampling", "stopSampling"];
  await post(`${domain}.enable`);
  if (isCpu) await post("Profiler.setSamplingInterval", { interval: samplingIntervalUs(ms) });
  await post(`${domain}.${begin}`);
  const until = performance.now() + ms;
  // A profile with a name less is better than none.
  if (isCpu) await nameWhatIsStuck(until).catch(() => undefined);
  await sleep(Math.max(0, until - performance.now()));
  const { profile } = (await post(`${domain}.${end}`)) as { profile: unknown };
  await post(`${domain}.disable`);
  // Unlike `writeSync`, this fails on a disk that has room for a part of it.
  fs.writeFileSync(fd, JSON.stringify(profile));
}

/**
 * A loop that was hot before the profile runs code that V8's profiler does not know: what is compiled while a function runs
 * (`LogCompiledFunctions` in github.com/v8/v8/blob/main/src/logging/log.cc passes it over), and its time goes to the caller. A step
 * of the debugger has V8 throw that code away: it is compiled anew, and known, after a few thousand turns. Only where the event loop
 * stands still, and a few times.
 */
async function nameWhatIsStuck(until: number): Promise<void> {
  let steps = 0;
  while (steps < mostSteps && performance.now() + lookEveryMs < until) {
    await evaluate(`globalThis[${turned}] = false; setImmediate(() => { globalThis[${turned}] = true; }); 0`);
    await sleep(lookEveryMs);
    if (await evaluate(`globalThis[${turned}]`)) continue;
    steps += 1;
    await step();
  }
  await evaluate(`delete globalThis[${turned}]`);
}

const lookEveryMs = 250;
const mostSteps = 3;
const turned = 'Symbol.for("tsserve.turned")';
/** Native code can't be interrupted: what is not there by then does not come soon. */
const pauseWithinMs = 500;

async function evaluate(expression: string): Promise<unknown> {
  const { result } = (await post("Runtime.evaluate", { expression, silent: true, returnByValue: true })) as { result: { value?: unknown } };
  return result.value;
}

async function step(): Promise<void> {
  const paused = (): Promise<boolean> =>
    Promise.race([new Promise<boolean>((resolve) => session.once("Debugger.paused", () => resolve(true))), sleep(pauseWithinMs, false)]);
  await post("Debugger.enable");
  try {
    let pause = paused();
    await post("Debugger.pause");
    if (!(await pause)) return;
    pause = paused();
    await post("Debugger.stepOver");
    await pause;
  } finally {
    // Lets it go on, wherever it is.
    await post("Debugger.disable");
  }
}

/** Its parts go to the file as they come: whole, it would be several times the heap. */
async function takeSnapshot(fd: number, heapsFree: number): Promise<void> {
  const { usedSize } = (await post("Runtime.getHeapUsage")) as { usedSize: number };
  const free = freeMemory();
  if (free < usedSize * heapsFree) {
    const needed = `${heapsFree} × ${megabytes(usedSize)} = ${megabytes(usedSize * heapsFree)}`;
    throw new Error(
      `a snapshot takes about ${heapsFree} times the heap, ${needed}, and ${megabytes(free)} are free; --force takes it nevertheless`,
    );
  }
  let failure: Error | undefined;
  session.on("HeapProfiler.addHeapSnapshotChunk", ({ params }) => {
    try {
      if (failure === undefined) fs.writeFileSync(fd, params.chunk);
    } catch (error) {
      failure = error as Error;
    }
  });
  await post("HeapProfiler.takeHeapSnapshot", { reportProgress: false });
  if (failure !== undefined) throw failure;
}

/** What the container or the machine has left, whichever is less. */
function freeMemory(): number {
  const { availableMemory } = process as { availableMemory?(): number };
  return availableMemory?.() ?? (require("node:os") as typeof import("node:os")).freemem();
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20)} MB`;
}

function post(method: string, parameters?: Parameters): Promise<unknown> {
  const { post: send } = session as unknown as { post(name: string, given: Parameters | undefined, done: Done): void };
  return new Promise((resolve, reject) => {
    send.call(session, method, parameters, (error, result) => {
      if (error === null) resolve(result);
      else reject(new Error(`${method}: ${error.message}`));
    });
  });
}

type Done = (error: Error | null, result: unknown) => void;
