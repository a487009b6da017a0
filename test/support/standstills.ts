/** Counts how often this process stood still, as it does on a machine that has others to serve: its clients heard nothing meanwhile. */
export interface Standstills extends Disposable {
  readonly count: () => number;
}

const everyMs = 10;
/** Connections linger for 250 ms (docs/thrift.md); the server, and the clock of this watch, may each be late by some. */
const leastMs = 100;

/**
 * Watches this process for standstills that are about as long as an idle connection lingers when its server stops. Who stands still
 * for longer sends the next request to nobody, and no server can help it: a test that loses nothing otherwise may lose what was under
 * way then, and only where there was one.
 */
export function watchStandstills(): Standstills {
  let seen = 0;
  let before = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    if (now - before >= leastMs) seen += 1;
    before = now;
  }, everyMs);
  return { count: () => seen, [Symbol.dispose]: () => clearInterval(timer) };
}
