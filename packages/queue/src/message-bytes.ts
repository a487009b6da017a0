/** What is sent: bytes as they are, anything else as JSON. @throws {TypeError} for what JSON can't say */
export function messageBytes(data: unknown): { readonly bytes: Buffer; readonly contentType: string } {
  if (data instanceof Uint8Array) {
    const bytes = Buffer.isBuffer(data) ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    return { bytes, contentType: "application/octet-stream" };
  }
  const text = JSON.stringify(data) as string | undefined;
  if (text === undefined) throw new TypeError(`expected data that JSON can say, found ${typeof data}`);
  return { bytes: Buffer.from(text), contentType: "application/json" };
}
