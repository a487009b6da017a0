/** Eight bytes and the double that they are: one memory seen in two ways. */
export const doubleValue: Float64Array = new Float64Array(1);
export const doubleBytes: Uint8Array = new Uint8Array(doubleValue.buffer);
/** Where the byte of the highest value is: 7 on little-endian machines, 0 on others. XOR with it turns an index of one order into the other's. */
export const bigEndianMask: number = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? 7 : 0;
