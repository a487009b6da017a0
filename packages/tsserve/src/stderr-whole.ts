/**
 * Makes writes to stderr wait for their reader. A worker's stderr is a socket to its master, and what Node could not
 * write to it at once would be lost at `process.exit`: the end of a long message, which is where it says why.
 *
 * `_handle.setBlocking` is a private part of Node's streams, there since Node 0.12; without it the end of very long
 * messages may be lost (https://github.com/nodejs/node/blob/v20.x/lib/net.js, `setBlocking`).
 */
export function keepStderrWhole(stream: unknown): void {
  const { _handle: handle } = stream as { readonly _handle?: { setBlocking?(isBlocking: boolean): number } | null };
  handle?.setBlocking?.(true);
}
