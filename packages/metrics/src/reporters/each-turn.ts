/** A turn of the event loop, from the end of one poll to the end of the next. */
export interface Turn {
  /** When it ended (`performance.now`). */
  readonly nowMs: number;
  /** For how long something ran in it: what was due then had to wait for so long. */
  readonly busyMs: number;
}

/**
 * Measures each turn of the event loop, and never wakes it: a loop that has nothing to do has no turns. For one that is busy it
 * costs more than a timer.
 *
 * @returns ends it
 */
export function eachTurn(listener: (turn: Turn) => void): () => void {
  let last = performance.now();
  let slept = sleptMs();
  let next: NodeJS.Immediate;
  let hasEnded = false;
  const end = (): void => {
    const [now, sleptNow] = [performance.now(), sleptMs()];
    const busyMs = Math.max(0, now - last - (sleptNow - slept));
    last = now;
    slept = sleptNow;
    listener({ nowMs: now, busyMs });
    if (!hasEnded) begin();
  };
  // Immediates run after the loop has polled, and one that is `unref`ed does not keep it from sleeping there:
  // https://github.com/nodejs/node/blob/v24.x/src/env.cc (`CheckImmediate`, `ToggleImmediateRef`).
  const begin = (): void => void (next = setImmediate(end).unref());
  begin();
  return () => {
    hasEnded = true;
    clearImmediate(next);
  };
}

/** How long the event loop has slept in all. */
export function sleptMs(): number {
  return performance.nodeTiming.idleTime;
}
