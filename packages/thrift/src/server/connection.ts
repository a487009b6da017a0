import type { Socket } from "node:net";
import type { ScannedConnection } from "@tsserve/server";
import type { Logger } from "pino";
import type { Reader } from "../codec/codec.ts";
import { MessageReader, type MessageSink } from "../transport/message-reader.ts";
import { Outbox } from "../transport/outbox.ts";
import type { OutputSlab } from "../transport/output-slab.ts";
import type { WireLimits } from "../wire/limits.ts";
import { ProtocolError } from "../wire/protocol-error.ts";
import { ForeignProtocolError } from "../wire/sniff.ts";
import type { ProtocolName } from "../wire/types.ts";
import type { LeavingConnection } from "./leaving.ts";
import type { RequestOrigin } from "./request-origin.ts";

/** What takes the messages of all connections of a server. */
export interface MessageHandler {
  readonly limits: WireLimits;
  readonly readers: Readonly<Record<ProtocolName, Reader>>;
  /** A whole message. @throws {ProtocolError} when its head can't be read */
  message(
    origin: RequestOrigin,
    form: "unframed" | "framed",
    protocol: ProtocolName,
    bytes: Buffer,
    start: number,
    end: number,
    frame: undefined,
  ): void;
  /** A whole THeader frame. @throws {ProtocolError} when it can't be read */
  headerFrame(origin: RequestOrigin, bytes: Buffer, start: number, end: number): void;
}

/** What the connections of a server share. */
export interface ConnectionSetup {
  readonly handler: MessageHandler;
  /** Where answers are written. */
  readonly slab: OutputSlab;
  /** Requests in progress on one connection. */
  readonly maxPipelined: number;
  readonly log: Logger;
  /** Called when the end of a connection has been sent. */
  readonly lingers: (socket: Socket) => void;
}

/** One accepted connection: reads the messages of a client, and sends the answers in the order of the requests. */
export class Connection implements ScannedConnection, MessageSink, RequestOrigin, LeavingConnection {
  readonly socket: Socket;
  readonly log: Logger;
  /** When the last answer was ready, the last byte came, or the connection was accepted. */
  idleSince: number;
  /** When what came last came. */
  receivedAt = 0;
  /** Requests in progress, one-way ones among them. */
  activeRequests = 0;
  /** How many messages it has sent. */
  takenMessages = 0;
  /** Whether its client has sent no message before it had the answer to the one before: neither pipelined nor one-way ones. */
  alternates = true;
  /** Whether its end has been sent: what comes now is not read any more. */
  hasEnded = false;
  /** The order of the next request that gets an answer. */
  private nextRequest = 0;
  /** The order of the answer that leaves next. */
  private nextAnswer = 0;
  /** Answers that wait for those before them. */
  private held: Map<number, Buffer> | undefined = undefined;
  private readonly setup: ConnectionSetup;
  private readonly handler: MessageHandler;
  private readonly maxPipelined: number;
  private readonly reader: MessageReader;
  private readonly outbox: Outbox;
  private isReceiving = false;
  private isPaused = false;
  private endsWhenIdle = false;
  private takenBeforeLeave = 0;
  /** The shortest of the client's last pauses between an answer and its next message. */
  private shortPauseMs = Number.POSITIVE_INFINITY;
  /** Called when a connection that is about to end has nothing in progress. */
  private onIdle: ((connection: this) => void) | undefined = undefined;

  constructor(socket: Socket, setup: ConnectionSetup, now: number) {
    this.socket = socket;
    this.setup = setup;
    this.handler = setup.handler;
    this.maxPipelined = setup.maxPipelined;
    this.log = setup.log;
    this.idleSince = now;
    this.reader = new MessageReader(this);
    this.outbox = new Outbox(socket, setup.slab);
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
    return this.activeRequests < this.maxPipelined && !this.socket.writableNeedDrain;
  }

  get limits(): WireLimits {
    return this.handler.limits;
  }

  get readers(): Readonly<Record<ProtocolName, Reader>> {
    return this.handler.readers;
  }

  message(form: "unframed" | "framed", protocol: ProtocolName, bytes: Buffer, start: number, end: number): void {
    this.took();
    this.handler.message(this, form, protocol, bytes, start, end, undefined);
  }

  headerFrame(bytes: Buffer, start: number, end: number): void {
    this.took();
    this.handler.headerFrame(this, bytes, start, end);
  }

  private took(): void {
    if (this.nextAnswer !== this.takenMessages) this.alternates = false;
    this.takenMessages += 1;
  }

  /** @param isShared whether the memory of `bytes` is used again when this returns */
  receive(bytes: Buffer, start: number, end: number, isShared: boolean): void {
    if (this.hasEnded) return;
    const now = performance.now();
    if (this.isIdle) this.shortPauseMs = Math.min(now - this.idleSince, this.shortPauseMs * pauseGrowth);
    this.idleSince = now;
    this.receivedAt = now;
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
    this.logUnreadable(reason);
    this.reader.giveUp();
    this.finish();
  }

  /** Says why a connection is closed. */
  logUnreadable(reason: unknown): void {
    this.log.warn(
      {
        client: this.socket.remoteAddress,
        reason: typeof reason === "string" ? reason : undefined,
        err: typeof reason === "string" ? undefined : reason,
      },
      "closed a connection: what it sent can't be read",
    );
  }

  /** All that came has been looked at: sends what is ready in one piece, reads on or waits. */
  private afterTurn(): void {
    if (this.activeRequests === 0) this.idleSince = performance.now();
    this.sendQueued();
    if (this.reader.isPartial && !this.mayRead) this.pause();
    else if (this.activeRequests === 0) this.becameIdle();
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
    this.outbox.add(bytes, start, end);
    if (!isOrdered) return;
    this.nextAnswer += 1;
    if (this.held !== undefined) this.sendHeld(this.held);
  }

  private sendHeld(held: Map<number, Buffer>): void {
    for (let answer = held.get(this.nextAnswer); answer !== undefined; answer = held.get(this.nextAnswer)) {
      held.delete(this.nextAnswer);
      this.outbox.add(answer, 0, answer.length);
      this.nextAnswer += 1;
    }
    if (held.size === 0) this.held = undefined;
  }

  /** A request is over, and its answer, if it has one, queued. */
  requestEnded(): void {
    this.activeRequests -= 1;
    if (this.isReceiving) return;
    this.idleSince = performance.now();
    this.sendQueued();
    if (this.isPaused) this.resume();
    else if (this.activeRequests === 0) this.becameIdle();
  }

  private becameIdle(): void {
    if (this.endsWhenIdle) this.endIfIdle();
    else if (this.onIdle !== undefined && this.isIdle) this.onIdle(this);
  }

  /**
   * The server stops: the connection is served on, and `onIdle` called after each answer that leaves nothing in
   * progress. It decides when the connection ends.
   */
  leave(onIdle: (connection: Connection) => void): void {
    this.onIdle = onIdle;
    this.takenBeforeLeave = this.takenMessages;
  }

  /** Whether it has sent messages since it was to leave. */
  get goesOn(): boolean {
    return this.takenMessages > this.takenBeforeLeave;
  }

  /** How long its client, by what is known of it, pauses at least between an answer and its next message; 0 for one that is not known. */
  get usualPauseMs(): number {
    return this.takenMessages >= knownAfterMessages ? this.shortPauseMs : 0;
  }

  /** Reads no further message: the connection ends when those that have come are answered. */
  finishReading(): void {
    this.reader.giveUp();
    this.finish();
  }

  /** At once when nothing is in progress any more, else with what is ready by the end of this turn. */
  private sendQueued(): void {
    if (this.outbox.isEmpty) return;
    if (this.activeRequests > 0) this.outbox.schedule();
    else this.outbox.flush();
    if (this.socket.writableNeedDrain) this.pause();
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
    this.finishReading();
  }

  /** Ends the connection when all that came has been answered. */
  finish(): void {
    this.endsWhenIdle = true;
    this.endIfIdle();
  }

  private endIfIdle(): void {
    if (this.activeRequests > 0 || this.isReceiving || this.hasEnded || this.reader.isPartial) return;
    this.outbox.flush();
    this.endNow();
  }

  /**
   * Ends an idle connection before this returns. Node sends the end that `socket.end()` asks for in the next round of its event
   * loop, which on a busy machine is milliseconds later; only closing a socket acts at once
   * (https://github.com/libuv/libuv/blob/v1.x/src/unix/stream.c, `uv_shutdown` and `uv__stream_close`). What comes on a socket
   * that was closed resets the connection: answers that are on their way would be lost with it, unless the client waits for them.
   */
  closeIdle(): void {
    if (!this.isIdle || this.isReceiving || this.hasEnded) return;
    this.outbox.flush();
    if (!this.alternates || this.socket.writableLength > 0) return this.finish();
    this.hasEnded = true;
    this.reader.giveUp();
    this.socket.destroy();
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
    this.setup.lingers(socket);
  }
}

const emptyBytes = Buffer.alloc(0);
/** A pause that was short once is forgotten little by little: after 25 calls ten times as long a one counts. */
const pauseGrowth = 1.1;
/** A client is known when it has called so often. */
const knownAfterMessages = 4;
/** For the person who opens the port in a browser. */
const httpAnswer =
  "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 25\r\n\r\nThis port speaks Thrift.\n";
