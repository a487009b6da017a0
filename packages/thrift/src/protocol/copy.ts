/** Up to this length, copying byte by byte is faster than asking the buffer to. */
const shortCopy = 96;

/** A buffer of its own with a part of another. */
export function copied(bytes: Buffer, start: number, length: number): Buffer {
  const copy = Buffer.allocUnsafe(length);
  if (length > shortCopy) bytes.copy(copy, 0, start, start + length);
  else for (let index = 0; index < length; index++) copy[index] = bytes[start + index] as number;
  return copy;
}

/** Copies all of `from` into a part of a buffer that has room for it. */
export function copyInto(bytes: Buffer, position: number, from: Uint8Array): void {
  const { length } = from;
  if (length > shortCopy) bytes.set(from, position);
  else for (let index = 0; index < length; index++) bytes[position + index] = from[index] as number;
}
