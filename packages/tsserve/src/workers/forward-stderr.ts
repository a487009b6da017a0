/** What the reader of our stderr may leave unread before we pass over what comes: the workers' words are not kept for ever. */
const mostUnreadBytes = 1024 * 1024;

/** The part of `process.stderr` that is used. */
export interface ErrorStream {
  readonly writableLength: number;
  write(bytes: Uint8Array): boolean;
  on(event: "error", listener: () => void): unknown;
}

/**
 * Passes on to `stream` what workers write to their stderr. Where its reader has gone, or does not read, lines are lost,
 * and nothing else.
 */
export function forwardStderr(stream: ErrorStream): (bytes: Uint8Array) => void {
  let isBroken = false;
  stream.on("error", () => (isBroken = true));
  return (bytes) => {
    if (!isBroken && stream.writableLength < mostUnreadBytes) stream.write(bytes);
  };
}
