import type { Socket } from "node:net";
import type { OutputSlab } from "./output-slab.ts";

/** What one connection has to send: parts of the slab, sent in one piece. */
export class Outbox {
  private readonly socket: Socket;
  private readonly slab: OutputSlab;
  private isScheduled = false;
  /** The part that was queued last; the next one may follow it in the same memory. */
  private bytes: Buffer | undefined = undefined;
  private start = 0;
  private end = 0;
  private earlier: Buffer[] | undefined = undefined;

  constructor(socket: Socket, slab: OutputSlab) {
    this.socket = socket;
    this.slab = slab;
  }

  get isEmpty(): boolean {
    return this.bytes === undefined;
  }

  /** Queues a part of the slab, or a message that has memory of its own. */
  add(bytes: Buffer, start: number, end: number): void {
    if (this.bytes === bytes && this.end === start) {
      this.end = end;
      return;
    }
    if (this.bytes !== undefined) (this.earlier ??= []).push(this.bytes.subarray(this.start, this.end));
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.slab.queued(bytes);
  }

  /** Sends what is queued when the current turn is over. */
  schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    process.nextTick(flush, this);
  }

  flush(): void {
    this.isScheduled = false;
    const { bytes, earlier, socket } = this;
    if (bytes === undefined) return;
    this.bytes = undefined;
    this.earlier = undefined;
    if (!socket.writable) {
      this.release(bytes, earlier, false);
      return;
    }
    const last = bytes.subarray(this.start, this.end);
    // What the kernel does not take now is kept by the socket: it must not be in memory that is used again.
    const isCopy = earlier !== undefined || socket.writableLength > 0 || socket.connecting;
    socket.write(isCopy ? Buffer.concat([...(earlier ?? []), last]) : last);
    this.release(bytes, earlier, !isCopy && socket.writableLength > 0);
  }

  /** Tells the slab how many of its parts are free again. */
  private release(bytes: Buffer, earlier: readonly Buffer[] | undefined, isHeld: boolean): void {
    const { slab } = this;
    let parts = bytes === slab.bytes ? 1 : 0;
    if (earlier !== undefined) for (const part of earlier) if (part.buffer === slab.bytes.buffer) parts += 1;
    if (parts > 0) slab.handedOn(parts, isHeld && bytes === slab.bytes);
  }
}

function flush(outbox: Outbox): void {
  outbox.flush();
}
