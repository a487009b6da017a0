import { wireTypes, type ProtocolName } from "../wire/types.ts";
import { MessageScanner } from "../wire/message-scanner.ts";
import { sniff } from "../wire/sniff.ts";
import { UnderrunError } from "../protocol/reading.ts";
import type { Reader } from "../codec/codec.ts";
import type { WireLimits } from "../wire/limits.ts";

/** What takes the messages of a connection. */
export interface MessageSink {
  readonly limits: WireLimits;
  readonly readers: Readonly<Record<ProtocolName, Reader>>;
  /** Whether the next message may be read now. */
  readonly mayRead: boolean;
  /** A whole message. @throws {ProtocolError} */
  message(form: "unframed" | "framed", protocol: ProtocolName, bytes: Buffer, start: number, end: number): void;
  /** A whole THeader frame, without its length prefix. @throws {ProtocolError} */
  headerFrame(bytes: Buffer, start: number, end: number): void;
}

const leastPartialBytes = 4096;

/** Cuts what comes on a connection into messages, whatever their form and however many pieces they come in. */
export class MessageReader {
  partialSince = 0;
  private readonly sink: MessageSink;
  /** The beginning of a message, with room for more of it; grows with what comes, not with what is announced. */
  private partial: Buffer | undefined = undefined;
  private partialBytes = 0;
  /** How long the message at the beginning of `partial` is, where that is known. */
  private neededBytes = 0;
  /** Looks for the end of an unframed message; `scannedBytes` of it it has seen. */
  private scanner: MessageScanner | undefined = undefined;
  private scannedBytes = 0;
  private hasGivenUp = false;

  constructor(sink: MessageSink) {
    this.sink = sink;
  }

  get isPartial(): boolean {
    return this.partial !== undefined;
  }

  /** Nothing that came, or comes, is looked at any more. */
  giveUp(): void {
    this.hasGivenUp = true;
    this.partial = undefined;
    this.scanner = undefined;
  }

  /** @throws {ProtocolError} */
  receive(bytes: Buffer, start: number, end: number, isShared: boolean): void {
    if (this.hasGivenUp) return;
    if (this.partial === undefined) return this.keep(bytes, this.readMessages(bytes, start, end), end, isShared);
    this.append(bytes, start, end);
    if (this.partialBytes < this.neededBytes) return;
    const { partial, partialBytes } = this;
    this.partial = undefined;
    this.neededBytes = 0;
    const since = this.partialSince;
    const position = this.readMessages(partial, 0, partialBytes);
    this.keep(partial, position, partialBytes, false);
    if (position === 0) this.partialSince = since;
  }

  /** Keeps what has not been read. */
  private keep(bytes: Buffer, start: number, end: number, isShared: boolean): void {
    if (start >= end || this.hasGivenUp) return;
    this.partialSince = performance.now();
    this.partialBytes = end - start;
    if (start === 0 && !isShared) {
      this.partial = bytes;
      return;
    }
    this.partial = Buffer.allocUnsafe(Math.max(leastPartialBytes, 2 * this.partialBytes));
    bytes.copy(this.partial, 0, start, end);
  }

  private append(bytes: Buffer, start: number, end: number): void {
    let partial = this.partial as Buffer;
    const total = this.partialBytes + end - start;
    if (total > partial.length) {
      const larger = Buffer.allocUnsafe(Math.max(2 * partial.length, total));
      partial.copy(larger, 0, 0, this.partialBytes);
      partial = larger;
      this.partial = larger;
    }
    bytes.copy(partial, this.partialBytes, start, end);
    this.partialBytes = total;
  }

  /** Hands on each message that is whole; gives the position of what is left. */
  private readMessages(bytes: Buffer, start: number, end: number): number {
    let position = start;
    while (position < end) {
      if (this.hasGivenUp) return end;
      if (!this.sink.mayRead) return position;
      const next = (bytes[position] as number) < 0x80 ? this.readFrame(bytes, position, end) : this.readUnframed(bytes, position, end);
      if (next === position) return position;
      position = next;
    }
    return position;
  }

  private readFrame(bytes: Buffer, start: number, end: number): number {
    const { sink } = this;
    if (end - start < 6) {
      sniff(bytes, start, end, sink.limits);
      return start;
    }
    const frameBytes =
      ((bytes[start] as number) << 24) |
      ((bytes[start + 1] as number) << 16) |
      ((bytes[start + 2] as number) << 8) |
      (bytes[start + 3] as number);
    const [first, second] = [bytes[start + 4] as number, bytes[start + 5] as number];
    const isHeader = first === 0x0f && second === 0xff;
    const protocol: ProtocolName | undefined =
      first === 0x80 && second === 0x01 ? "binary" : first === 0x82 && (second & 0x1f) === 1 ? "compact" : undefined;
    // Says what is wrong with it.
    if (frameBytes < 4 || frameBytes > sink.limits.maxFrameBytes || (protocol === undefined && !isHeader))
      sniff(bytes, start, end, sink.limits);
    const frameEnd = start + 4 + frameBytes;
    if (frameEnd > end) {
      this.neededBytes = 4 + frameBytes;
      return start;
    }
    if (isHeader) sink.headerFrame(bytes, start + 4, frameEnd);
    else sink.message("framed", protocol as ProtocolName, bytes, start + 4, frameEnd);
    return frameEnd;
  }

  private readUnframed(bytes: Buffer, start: number, end: number): number {
    const sniffed = sniff(bytes, start, end, this.sink.limits);
    if (sniffed?.form !== "unframed") return start;
    const messageEnd = this.endOfUnframed(bytes, start, end, sniffed.protocol);
    if (messageEnd === -1) return start;
    this.sink.message("unframed", sniffed.protocol, bytes, start, messageEnd);
    return messageEnd;
  }

  /** A message that is whole is skipped at once; one that is not is scanned as it comes, each byte once. */
  private endOfUnframed(bytes: Buffer, start: number, end: number, protocol: ProtocolName): number {
    if (this.scanner === undefined) {
      const reader = this.sink.readers[protocol];
      reader.reset(bytes, start, end);
      try {
        reader.readHead();
        reader.skip(wireTypes.struct);
        return reader.position;
      } catch (error) {
        if (!(error instanceof UnderrunError)) throw error;
      }
      this.scanner = new MessageScanner(protocol, this.sink.limits);
      this.scannedBytes = 0;
    }
    const found = this.scanner.push(bytes.subarray(start, end), this.scannedBytes);
    this.scannedBytes = end - start;
    if (found === -1) return -1;
    this.scanner = undefined;
    return start + found;
  }
}
