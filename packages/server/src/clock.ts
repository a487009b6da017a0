/** Time, handed in so that tests can turn it. */
export interface Clock {
  /** Milliseconds that only ever grow. */
  now(): number;
  /** Calls back once, `ms` milliseconds from now; the returned function cancels. */
  after(ms: number, callback: () => void): () => void;
}

/** The longest delay that Node's timers take, 24.8 days; longer ones would fire at once. */
const longestTimerMs = 2 ** 31 - 1;

/** A delay that may be handed to `setTimeout`, for limits that nobody means to be reached: no longer than it takes. */
export function timerMs(ms: number): number {
  return ms > longestTimerMs ? longestTimerMs : ms;
}

/** Kept, since `process` itself is read through a function of Node's each time. */
const { hrtime } = process;

/** What `performance.now()` gives, from where it reads it: every request asks twice, and the way through `performance` takes half of that. */
function now(): number {
  const [seconds, nanoseconds] = hrtime();
  return seconds * 1000 + nanoseconds / 1e6 - beginning;
}

/** When this process began, on the clock of `process.hrtime`. */
const beginning = ((): number => {
  const [seconds, nanoseconds] = hrtime();
  return seconds * 1000 + nanoseconds / 1e6 - performance.now();
})();

export const systemClock: Clock = {
  now,
  after: (ms, callback) => {
    let timer: NodeJS.Timeout;
    const begin = (left: number): void => {
      timer = left > longestTimerMs ? setTimeout(begin, longestTimerMs, left - longestTimerMs) : setTimeout(callback, left);
    };
    begin(ms);
    return () => clearTimeout(timer);
  },
};

/**
 * Calls back when the sockets have been read once more, with the time before that. Who judges connections goes by it: timers run before
 * the sockets are read, so that what has come lies unread; and in a process that stood still meanwhile, all would seem to have been silent.
 *
 * @returns cancels
 */
export function afterReading(clock: Clock, judge: (before: number) => void): () => void {
  const before = clock.now();
  const immediate = setImmediate(() => judge(before));
  return () => clearImmediate(immediate);
}

/** The same in `ms` milliseconds. @returns cancels */
export function judgeAfter(clock: Clock, ms: number, judge: (before: number) => void): () => void {
  let cancel = clock.after(ms, () => {
    cancel = afterReading(clock, judge);
  });
  return () => cancel();
}

/** Resolves after `ms` milliseconds, or as soon as the signal aborts. */
export function wait(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) {
      resolve();
      return;
    }
    const end = (): void => {
      cancel();
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const cancel = clock.after(ms, end);
    signal?.addEventListener("abort", end, { once: true });
  });
}

/** Waits for what may take long, for so many milliseconds at most; what it rejects with is nobody's any more. */
export async function within(timeoutMs: number, work: PromiseLike<unknown> | undefined): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  await Promise.race([Promise.resolve(work).catch(() => undefined), tooLate]);
  clearTimeout(timer);
}
