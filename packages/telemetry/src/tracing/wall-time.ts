/** By how much the two clocks may seem to differ where none was set: one of them counts whole milliseconds. */
const unevenMs = 2;

/** The clocks of a process, in milliseconds. */
export interface Clocks {
  /** Since 1970; it may be set. */
  wall(): number;
  /** Since the process began; nobody sets it. */
  steady(): number;
}

/**
 * Says when, by the wall clock, something was that is known by the steady one: both as they are now, so that the times are right
 * again when the clock has been set, or drawn to another rate for long. Between that, the steady one's fine steps are kept.
 *
 * @param beganAt what the wall clock said when the steady one was at 0
 */
export function wallTime({ wall, steady }: Clocks, beganAt: number): (steadyMs: number) => number {
  let began = beganAt;
  return (steadyMs) => {
    const now = wall() - steady();
    if (Math.abs(now - began) > unevenMs) began = now;
    return began + steadyMs;
  };
}

/** Of this process. */
export function processWallTime(): (steadyMs: number) => number {
  return wallTime({ wall: () => Date.now(), steady: () => performance.now() }, performance.timeOrigin);
}
