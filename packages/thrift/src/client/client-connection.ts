import { timerMs } from "@tsserve/server";
import { connect, type Socket } from "node:net";
import { formatEndpoint } from "@tsserve/config";
import { ApplicationError, applicationErrors } from "../application-error.ts";
import type { Reader, Writer } from "../codec/codec.ts";
import { BinaryReader } from "../protocol/binary-reader.ts";
import { BinaryWriter } from "../protocol/binary-writer.ts";
import { CompactReader } from "../protocol/compact-reader.ts";
import { CompactWriter } from "../protocol/compact-writer.ts";
import { messageTypes } from "../protocol/reading.ts";
import { MessageReader, type MessageSink } from "../transport/message-reader.ts";
import { Outbox } from "../transport/outbox.ts";
import { OutputSlab } from "../transport/output-slab.ts";
import { headerPartBytes, readHeaderFrame, writeHeaderPart } from "../wire/header-frame.ts";
import type { WireLimits } from "../wire/limits.ts";
import { ProtocolError } from "../wire/protocol-error.ts";
import { wireTypes, type ProtocolName } from "../wire/types.ts";
import type { Call } from "./call.ts";
import type { ClientSettings } from "./options.ts";
import { TransportError } from "./transport-error.ts";

/** What the connections of one client share: none of it is used across turns. */
export class ClientMemory {
  readonly slab: OutputSlab = new OutputSlab();
  readonly readers: Readonly<Record<ProtocolName, Reader>>;
  readonly writer: Writer;

  constructor({ limits, protocol }: ClientSettings) {
    this.readers = { binary: new BinaryReader(limits), compact: new CompactReader(limits) };
    this.writer = protocol === "binary" ? new BinaryWriter() : new CompactWriter();
  }
}

/** One connection of a client: sends calls, and matches the answers by their sequence ids. */
export class ClientConnection implements MessageSink {
  readonly socket: Socket;
  readonly openedAt: number = performance.now();
  readonly limits: WireLimits;
  readonly readers: Readonly<Record<ProtocolName, Reader>>;
  readonly mayRead = true;
  /** Since when no call is outstanding. */
  idleSince: number = performance.now();
  /** Whether the server wants it to go on: not when it has ended, broken, or the server said that it is about to close it. */
  private isWelcome = true;
  /** The first call that has been queued, and is not yet handed to the socket. */
  private firstQueued = 0;
  private readonly settings: ClientSettings;
  private readonly memory: ClientMemory;
  private readonly reader: MessageReader;
  private readonly outbox: Outbox;
  private readonly calls = new Map<number, Call>();
  private readonly onFree: (connection: ClientConnection) => void;
  private lastSequenceId = 0;
  private hasForgotten = false;

  /** Connects. @throws {TransportError} when nobody answers in time */
  static open(settings: ClientSettings, memory: ClientMemory, onFree: (connection: ClientConnection) => void): Promise<ClientConnection> {
    const { endpoint, timeoutMs } = settings;
    const place = formatEndpoint(endpoint);
    return new Promise((resolve, reject) => {
      const connection = new ClientConnection(settings, memory, onFree);
      const { socket } = connection;
      const timer = setTimeout(() => socket.destroy(new Error(`no answer within ${timeoutMs} ms`)), timerMs(timeoutMs));
      socket.once("connect", () => {
        clearTimeout(timer);
        socket.off("error", fail);
        resolve(connection);
      });
      const fail = (error: Error): void => {
        clearTimeout(timer);
        reject(new TransportError("NOT_OPEN", `can't connect to ${place}: ${error.message}`, { cause: error }));
      };
      socket.once("error", fail);
    });
  }

  private constructor(settings: ClientSettings, memory: ClientMemory, onFree: (connection: ClientConnection) => void) {
    this.settings = settings;
    this.memory = memory;
    this.limits = settings.limits;
    this.readers = memory.readers;
    this.onFree = onFree;
    this.reader = new MessageReader(this);
    const { endpoint } = settings;
    const onread = {
      buffer: Buffer.allocUnsafeSlow(16 * 1024),
      callback: (count: number, bytes: Uint8Array): boolean => {
        this.receive(bytes as Buffer, count);
        return true;
      },
    };
    this.socket = connect({
      ...("path" in endpoint ? { path: endpoint.path } : { host: endpoint.host || "localhost", port: endpoint.port }),
      noDelay: true,
      onread,
    });
    this.outbox = new Outbox(this.socket, memory.slab);
    this.socket.on("error", (error) =>
      this.end(new TransportError("END_OF_FILE", `the connection broke: ${error.message}`, { cause: error })),
    );
    this.socket.on("end", () => this.end(endOfFile()));
    this.socket.on("close", () => this.end(endOfFile()));
  }

  /** Whether it takes further calls. */
  get isUsable(): boolean {
    return this.isWelcome && this.socket.writable;
  }

  /** It takes no further calls. */
  retire(): void {
    this.isWelcome = false;
  }

  get outstanding(): number {
    return this.calls.size;
  }

  /** Sends a call. @throws when an argument does not fit its type: nothing is sent then, and the connection is as it was */
  send(call: Call): void {
    const sequenceId = (this.lastSequenceId + 1) & 0x7fff_ffff;
    const { slab, writer } = this.memory;
    const { wrapping, protocol } = this.settings;
    const { headers } = call;
    const start = slab.begin();
    writer.reset(slab.bytes, start);
    const prefix = wrapping === "unframed" ? 0 : wrapping === "framed" ? 4 : headerPartBytes({ headers });
    writer.reserve(prefix);
    writer.position += prefix;
    writer.writeMessageBegin(call.method, call.oneway ? messageTypes.oneway : messageTypes.call, sequenceId);
    call.codec.writeArguments(writer, call.values);
    const { bytes, position: end } = writer;
    const messageBytes = end - start - prefix;
    if (wrapping === "framed") bytes.writeUInt32BE(messageBytes, start);
    else if (wrapping === "header") writeHeaderPart(bytes, start, { protocol, flags: 0, sequenceId, headers }, messageBytes);
    slab.end(bytes, end);
    this.lastSequenceId = sequenceId;
    if (this.outbox.isEmpty) this.firstQueued = sequenceId;
    this.outbox.add(bytes, start, end);
    if (this.settings.maxPipelined === 1) this.outbox.flush();
    else this.outbox.schedule();
    if (call.oneway) call.resolve(undefined);
    else this.calls.set(sequenceId, call);
  }

  /** Nobody waits for a call any more. Its answer may still come: only a pipelined connection can tell it from another's. */
  forget(call: Call): void {
    for (const [sequenceId, each] of this.calls) {
      if (each !== call) continue;
      this.calls.delete(sequenceId);
      this.hasForgotten = true;
      if (this.settings.maxPipelined === 1) this.close();
    }
  }

  private receive(bytes: Buffer, count: number): void {
    if (!this.isWelcome && this.calls.size === 0) return;
    try {
      this.reader.receive(bytes, 0, count, true);
    } catch (error) {
      this.end(error);
    }
  }

  headerFrame(bytes: Buffer, start: number, end: number): void {
    const { protocol, payload, payloadStart, payloadEnd, headers } = readHeaderFrame(bytes, start, end, this.limits);
    if (headers.find("connection")?.toLowerCase() === "close") this.isWelcome = false;
    this.answer(protocol, payload, payloadStart, payloadEnd);
  }

  message(_form: string, protocol: ProtocolName, bytes: Buffer, start: number, end: number): void {
    this.answer(protocol, bytes, start, end);
  }

  private answer(protocol: ProtocolName, bytes: Buffer, start: number, end: number): void {
    const reader = this.readers[protocol];
    reader.reset(bytes, start, end);
    const { type, sequenceId, name } = reader.readHead();
    const call = this.calls.get(sequenceId) ?? this.anonymous(sequenceId, name);
    if (call === undefined) return;
    this.calls.delete(sequenceId);
    this.settle(call, type, reader);
    if (this.calls.size === 0) this.idleSince = performance.now();
    if (this.calls.size === 0 && !this.isWelcome) this.close();
    this.onFree(this);
  }

  /** What a server says that could not read the head of the call: the only one, or nobody knows which. */
  private anonymous(sequenceId: number, name: string): Call | undefined {
    if (sequenceId !== 0 || name !== "" || this.calls.size !== 1) return undefined;
    const [[first, call]] = this.calls as unknown as [[number, Call]];
    this.calls.delete(first);
    return call;
  }

  private settle(call: Call, type: number, reader: Reader): void {
    let value: unknown;
    try {
      if (type === messageTypes.exception) throw readException(reader);
      if (type !== messageTypes.reply)
        throw new ApplicationError(applicationErrors.invalidMessageType, `expected an answer, found a message of type ${type}`);
      value = call.codec.readResult(reader);
    } catch (error) {
      // What did not end where it should says nothing about what follows.
      if (error instanceof ProtocolError || error instanceof ApplicationError) this.isWelcome = false;
      call.reject(error);
      return;
    }
    call.resolve(value);
  }

  /** Ends the connection; calls that wait for an answer fail. */
  private end(reason: unknown): void {
    this.isWelcome = false;
    const waiting = [...this.calls];
    const unsent = this.outbox.isEmpty ? Number.POSITIVE_INFINITY : this.firstQueued;
    this.calls.clear();
    // A plain end would say that the answers are still wanted.
    if (waiting.length > 0 || this.hasForgotten) this.socket.resetAndDestroy();
    else this.socket.destroy();
    // What was never handed to the socket has not begun; of anything else that can't be known: a server that dies ends
    // its connections as cleanly as one that leaves.
    for (const [sequenceId, call] of waiting) call.reject(sequenceId >= unsent && isEndOfFile(reason) ? notSent(reason) : reason);
    this.onFree(this);
  }

  close(): void {
    this.end(new TransportError("CLOSED", "the client has been closed"));
  }
}

function endOfFile(): TransportError {
  return new TransportError("END_OF_FILE", "the server closed the connection before it answered");
}

function isEndOfFile(reason: unknown): boolean {
  return reason instanceof TransportError && reason.code === "END_OF_FILE";
}

function notSent(cause: unknown): TransportError {
  return new TransportError("NOT_OPEN", "the connection ended before the call was sent", { cause });
}

function readException(reader: Reader): ApplicationError {
  let [message, type] = ["", 0];
  reader.readStructBegin();
  for (;;) {
    const { ftype, fid } = reader.readFieldBegin();
    if (ftype === wireTypes.stop) break;
    if (fid === 1 && ftype === wireTypes.string) message = reader.readString();
    else if (fid === 2 && ftype === wireTypes.i32) type = reader.readI32();
    else reader.skip(ftype);
  }
  reader.readStructEnd();
  return new ApplicationError(type, message);
}
