/**
 * The memory of a buffer as a `DataView`, whose reads and writes of several bytes V8 makes one instruction of. Making one costs
 * as much as reading ten numbers: it is made once for a buffer that many messages are read from, or written to.
 */
export function viewOf({ buffer, byteOffset, length }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, length);
}
