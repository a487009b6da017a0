const slabBytes = 256 * 1024;
/** A message is begun with at least so much room, so that it seldom has to be moved. */
const leastRoom = 32 * 1024;

/**
 * The memory that all connections of a server, or of a client, write their messages into, one after the other.
 * What was written stays until its connection has handed it to the kernel; when all has, the memory is used again
 * from its beginning: no message allocates any.
 */
export class OutputSlab {
  bytes: Buffer = Buffer.allocUnsafeSlow(slabBytes);
  position = 0;
  /** How many parts of `bytes` wait to be handed on. */
  private waiting = 0;

  /** Where the next message begins. */
  begin(): number {
    if (this.bytes.length - this.position < leastRoom) this.replace();
    return this.position;
  }

  /** Takes the buffer back that a message was written into: a larger one, when the message has outgrown this. */
  end(bytes: Buffer, position: number): void {
    if (bytes !== this.bytes) {
      this.bytes = bytes;
      this.waiting = 0;
    }
    this.position = position;
  }

  /** A part of `bytes` waits. */
  queued(bytes: Buffer): void {
    if (bytes === this.bytes) this.waiting += 1;
  }

  /**
   * So many parts have been handed on.
   *
   * @param isHeld whether the kernel did not take all: somebody still reads the memory
   */
  handedOn(parts: number, isHeld: boolean): void {
    this.waiting -= parts;
    if (isHeld || (this.waiting === 0 && this.bytes.length > slabBytes)) this.replace();
    else if (this.waiting === 0) this.position = 0;
  }

  private replace(): void {
    this.bytes = Buffer.allocUnsafeSlow(slabBytes);
    this.position = 0;
    this.waiting = 0;
  }
}
