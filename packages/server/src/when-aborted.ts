/**
 * Calls once when a signal aborts; at once where it has already.
 *
 * @param until ends the wait
 */
export function whenAborted(signal: AbortSignal, run: () => void, until?: AbortSignal): void {
  if (signal.aborted) run();
  else signal.addEventListener("abort", run, { once: true, ...(until === undefined ? {} : { signal: until }) });
}
