/** The longest message that may be written: the longest frame that the format has (`0x3fffffff`). */
const longestMessage = 0x3fff_ffff;

/** A buffer with at least so much room behind `position`, and the same bytes from `start` to there. */
export function grown(bytes: Buffer, start: number, position: number, room: number): Buffer {
  if (position - start + room > longestMessage) throw new RangeError(`the message is longer than ${longestMessage} bytes`);
  const larger = Buffer.allocUnsafeSlow(Math.max(bytes.length * 2, position + room + 1024));
  bytes.copy(larger, start, start, position);
  return larger;
}
