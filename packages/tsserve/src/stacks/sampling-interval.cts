// How often a CPU profile looks at the stack.

/** What V8 does where nothing is said, in microseconds. */
const usualUs = 1000;
/**
 * A sample more costs memory while the profile is taken, and time of the main thread when it ends, which turns all of them into text: so
 * many cost some 3 MB and 20 ms. A profile of an hour would have 36 times as many.
 */
const mostSamples = 100_000;

/** The time between two samples of a profile of `ms` milliseconds, in microseconds: as usual, or longer where there would be too many. */
function samplingIntervalUs(ms: number): number {
  return Math.max(usualUs, Math.ceil((ms * 1000) / mostSamples));
}

module.exports = { samplingIntervalUs };
