/** The parts of amqplib's connection that take frames apart, which its types leave out (github.com/amqp-node/amqplib, lib/connection.js). */
export interface FrameReader {
  /** What was read, and not taken apart yet. */
  rest: Buffer;
  recvFrame(): unknown;
}

/** The properties of a message where they can't be read: none of them is there. */
export class UnreadableProperties {
  readonly error: Error;

  constructor(error: Error) {
    this.error = error;
  }
}

/** A content header, what stands before a frame and behind it, and where in a header the body's size is (AMQP 0-9-1, sections 4.2.3 and 4.2.6.1). */
const headerFrame = 2;
const startBytes = 7;
const endBytes = 1;
const sizeOffset = 4;

/**
 * Has a connection go on where the headers of a message can't be read: tables within tables, thousands deep, exhaust the stack of amqplib,
 * which closes the connection then. Every worker to which the broker hands such a message would lose its connection to it, and whatever
 * else it holds, for ever.
 */
export function surviveHeaders(reader: Partial<FrameReader>): void {
  const { recvFrame } = reader;
  if (typeof recvFrame !== "function") return;
  reader.recvFrame = function (this: FrameReader): unknown {
    const { rest } = this;
    try {
      return recvFrame.call(this);
    } catch (error) {
      // One that was whole, and was cut off from the rest: what is in it is the reason.
      const isWhole = rest.length > startBytes && rest.length >= startBytes + rest.readUInt32BE(3) + endBytes;
      if (!isWhole || this.rest === rest || rest[0] !== headerFrame || !(error instanceof Error)) throw error;
      const size = Number(rest.readBigUInt64BE(startBytes + sizeOffset));
      return { id: rest.readUInt16BE(startBytes), channel: rest.readUInt16BE(1), size, fields: new UnreadableProperties(error) };
    }
  };
}
