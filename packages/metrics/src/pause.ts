/** Lets the event loop turn once: requests are served in between. */
export function pause(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
