import type { Socket } from "node:net";
import type { AdmittedConnection } from "@tsserve/server";
import type { Logger } from "pino";
import { ProtocolError } from "../wire/protocol-error.ts";
import { ForeignProtocolError } from "../wire/sniff.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { MessageReader } from "./message-reader.ts";

/** One accepted connection: reads the messages of a client, and sends the answers in the order of the requests. */
export class Connection implements AdmittedConnection {
  readonly socket: Socket;
  readonly log: Logger;
  /** When the last answer left, the last byte came, or the connection was accepted. */
  idleSince: number;
  /** Requests in progress, one-way ones among them. */
  activeRequests = 0;
  /** Whether its end has been sent: what comes now is not read any more. */
  hasEnded = false;
  /** The order of the next request that gets an answer. */
  private nextRequest = 0;
  /** The order of the answer that leaves next. */
  private nextAnswer = 0;
  /** Answers that wait for those before them. */
  private held: Map<number, Buffer> | undefined = undefined;
  private readonly dispatcher: Dispatcher;
  private readonly reader: MessageReader;
  private isReceiving = false;
  private flushIsScheduled = false;
  private isPaused = false;
  private endsWhenIdle = false;
  /** The part of the slab that waits to be sent. */
  private bytes: Buffer | undefined = undefined;
  private start = 0;
  private end = 0;
  /** Parts that wait before it. */
  private earlier: Buffer[] | undefined = undefined;

  constructor(socket: Socket, dispatcher: Dispatcher, now: number) {
    this.socket = socket;
    this.dispatcher = dispatcher;
    this.log = dispatcher.log;
    this.idleSince = now;
    this.reader = new MessageReader(dispatcher, this);
  }

  get isIdle(): boolean {
    return this.activeRequests === 0 && !this.reader.isPartial;
  }

  /** Since when a message is being sent that has not come to its end. */
  get partialSince(): number | undefined {
    return this.reader.isPartial && !this.isPaused ? this.reader.partialSince : undefined;
  }

  /** Whether the next message may be read: neither too many requests are in progress, nor too many answers unread. */
  get mayRead(): boolean {
    return this.activeRequests < this.dispatcher.maxPipelined && !this.socket.writableNeedDrain;
  }

  /** @param isShared whether the memory of `bytes` is used again when this returns */
  receive(bytes: Buffer, start: number, end: number, isShared: boolean): void {
    if (this.hasEnded) return;
    this.idleSince = performance.now();
    this.isReceiving = true;
    try {
      this.reader.receive(bytes, start, end, isShared);
    } catch (error) {
      this.refuse(error);
    }
    this.isReceiving = false;
    this.afterTurn();
  }

  /** What the client sent can't be read: nothing that follows can be either. What is in progress is still answered. */
  private refuse(error: unknown): void {
    const reason = error instanceof ProtocolError ? error.message : error;
    if (error instanceof ForeignProtocolError && error.protocol === "HTTP") this.socket.write(httpAnswer);
    this.dispatcher.protocolError(this, reason);
    this.reader.giveUp();
    this.finish();
  }

  /** All that came has been looked at: sends what is ready in one piece, reads on or waits. */
  private afterTurn(): void {
    if (this.bytes !== undefined) {
      if (this.activeRequests === 0) this.flush();
      else this.scheduleFlush();
    }
    if (this.reader.isPartial && !this.mayRead) this.pause();
    else if (this.endsWhenIdle) this.endIfIdle();
  }

  /** The place of a request's answer among those of this connection. */
  takeOrder(): number {
    return this.nextRequest++;
  }

  /** Whether it is the turn of an answer. */
  isDue(order: number): boolean {
    return order === this.nextAnswer;
  }

  /** Keeps an answer until those before it are ready. */
  hold(order: number, answer: Buffer): void {
    (this.held ??= new Map()).set(order, answer);
  }

  /** Sends a part of the slab: the answer that is due, unless `isOrdered` is false. */
  send(bytes: Buffer, start: number, end: number, isOrdered: boolean): void {
    if (this.bytes === bytes && this.end === start) this.end = end;
    else this.begin(bytes, start, end);
    if (isOrdered) {
      this.nextAnswer += 1;
      if (this.held !== undefined) this.sendHeld(this.held);
    }
  }

  private begin(bytes: Buffer, start: number, end: number): void {
    if (this.bytes !== undefined) (this.earlier ??= []).push(this.bytes.subarray(this.start, this.end));
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.dispatcher.slab.queued(bytes);
  }

  private sendHeld(held: Map<number, Buffer>): void {
    for (let answer = held.get(this.nextAnswer); answer !== undefined; answer = held.get(this.nextAnswer)) {
      held.delete(this.nextAnswer);
      this.begin(answer, 0, answer.length);
      this.nextAnswer += 1;
    }
    if (held.size === 0) this.held = undefined;
  }

  /** A request is over, and its answer, if it has one, queued. */
  requestEnded(): void {
    this.activeRequests -= 1;
    if (this.isReceiving) return;
    if (this.activeRequests === 0) this.flush();
    else this.scheduleFlush();
    if (this.isPaused) this.resume();
    else if (this.endsWhenIdle) this.endIfIdle();
  }

  private scheduleFlush(): void {
    if (this.flushIsScheduled) return;
    this.flushIsScheduled = true;
    process.nextTick(flushScheduled, this);
  }

  flush(): void {
    this.flushIsScheduled = false;
    const { bytes, earlier, socket } = this;
    if (bytes === undefined) return;
    this.bytes = undefined;
    this.earlier = undefined;
    this.idleSince = performance.now();
    if (socket.destroyed || this.hasEnded) return this.released(bytes, earlier, false);
    const last = bytes.subarray(this.start, this.end);
    // What the kernel does not take now is kept by the socket: it must not be in memory that is used again.
    const isCopy = earlier !== undefined || socket.writableLength > 0;
    socket.write(isCopy ? Buffer.concat([...(earlier ?? []), last]) : last);
    this.released(bytes, earlier, !isCopy && socket.writableLength > 0);
    if (socket.writableNeedDrain) this.pause();
  }

  /** Tells the slab how many of its parts are free again. */
  private released(bytes: Buffer, earlier: readonly Buffer[] | undefined, isHeld: boolean): void {
    const { slab } = this.dispatcher;
    let parts = bytes === slab.bytes ? 1 : 0;
    if (earlier !== undefined) for (const part of earlier) if (part.buffer === slab.bytes.buffer) parts += 1;
    if (parts > 0) slab.handedOn(parts, isHeld && bytes === slab.bytes);
  }

  private pause(): void {
    if (this.isPaused) return;
    this.isPaused = true;
    this.socket.pause();
  }

  /** Reads on where it stopped, once it may. */
  resume(): void {
    if (!this.isPaused || !this.mayRead || this.socket.destroyed) return;
    this.isPaused = false;
    if (this.reader.isPartial) this.receive(emptyBytes, 0, 0, false);
    // Reading on may have paused it again.
    if (!(this.isPaused as boolean)) this.socket.resume();
  }

  /** The client will send no more: it gets its answers, then the connection ends. */
  clientEnded(): void {
    this.reader.giveUp();
    this.finish();
  }

  /** Ends the connection when all that came has been answered. */
  finish(): void {
    this.endsWhenIdle = true;
    this.endIfIdle();
  }

  private endIfIdle(): void {
    if (this.activeRequests > 0 || this.isReceiving || this.hasEnded || this.reader.isPartial) return;
    this.flush();
    this.endNow();
  }

  /** Sends the end after what is queued, whatever is in progress. */
  endNow(): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    this.reader.giveUp();
    const { socket } = this;
    socket.end();
    // Read to its end: closing with unread bytes would reset the connection, and take the last answer along.
    socket.resume();
    this.dispatcher.lingers(socket);
  }
}

const emptyBytes = Buffer.alloc(0);
/** For the person who opens the port in a browser. */
const httpAnswer =
  "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 25\r\n\r\nThis port speaks Thrift.\n";

function flushScheduled(connection: Connection): void {
  connection.flush();
}
