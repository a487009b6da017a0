import type { Socket } from "node:net";
import type { ActiveRequests } from "@tsserve/server";
import type { Logger } from "pino";
import { ApplicationError, applicationErrors } from "../application-error.ts";
import type { Reader, Writer } from "../codec/codec.ts";
import { BinaryReader } from "../protocol/binary-reader.ts";
import { CompactReader } from "../protocol/compact-reader.ts";
import { messageTypes } from "../protocol/reading.ts";
import { readHeaderFrame, UnknownTransformError, type HeaderFrame } from "../wire/header-frame.ts";
import type { WireLimits } from "../wire/limits.ts";
import { ProtocolError } from "../wire/protocol-error.ts";
import { sniff } from "../wire/sniff.ts";
import type { ProtocolName } from "../wire/types.ts";
import type { BoundMethod } from "./bound-method.ts";
import type { Connection } from "./connection.ts";
import { failedWith, succeeded, type Outcome } from "./outcome.ts";
import { Replies } from "./replies.ts";
import { requestStorage } from "./request-context.ts";
import { ThriftRequest, type MessageForm } from "./thrift-request.ts";
import { writeException } from "./write-exception.ts";

export interface DispatcherOptions {
  readonly methods: ReadonlyMap<string, BoundMethod>;
  readonly limits: WireLimits;
  readonly maxPipelined: number;
  readonly requests: ActiveRequests;
  readonly log: Logger;
  /** Called when a request is over. */
  readonly onEnd: ((request: ThriftRequest, outcome: Outcome) => void) | undefined;
  /** Called when the end of a connection has been sent. */
  readonly lingers: (socket: Socket) => void;
}

/** Calls the handler of each message, and answers with what it gives. */
export class Dispatcher {
  readonly limits: WireLimits;
  readonly maxPipelined: number;
  readonly log: Logger;
  readonly readers: Readonly<Record<ProtocolName, Reader>>;
  readonly lingers: (socket: Socket) => void;
  readonly replies: Replies;
  private readonly methods: ReadonlyMap<string, BoundMethod>;
  private readonly requests: ActiveRequests;
  private readonly onEnd: DispatcherOptions["onEnd"];
  private readonly binaryReader: BinaryReader;
  private readonly compactReader: CompactReader;

  constructor({ methods, limits, maxPipelined, requests, log, onEnd, lingers }: DispatcherOptions) {
    this.methods = methods;
    this.limits = limits;
    this.maxPipelined = maxPipelined;
    this.requests = requests;
    this.log = log;
    this.onEnd = onEnd;
    this.lingers = lingers;
    this.replies = new Replies(log);
    this.binaryReader = new BinaryReader(limits);
    this.compactReader = new CompactReader(limits);
    this.readers = { binary: this.binaryReader, compact: this.compactReader };
  }

  /** A whole THeader frame. @throws {ProtocolError} when it can't be read */
  headerFrame(connection: Connection, bytes: Buffer, start: number, end: number): void {
    let frame: HeaderFrame;
    try {
      frame = readHeaderFrame(bytes, start, end, this.limits);
    } catch (error) {
      if (error instanceof UnknownTransformError) this.refuseTransform(connection, error, bytes, start);
      throw error;
    }
    const { payload, payloadStart, payloadEnd, protocol } = frame;
    const sniffed = sniff(payload, payloadStart, payloadEnd, this.limits);
    if (sniffed?.form !== "unframed" || sniffed.protocol !== protocol)
      throw new ProtocolError(`the payload of the THeader frame is no message of the ${protocol} protocol`);
    this.message(connection, "header", protocol, payload, payloadStart, payloadEnd, frame);
  }

  /** A whole message. @throws {ProtocolError} when its head can't be read */
  message(
    connection: Connection,
    form: MessageForm,
    protocol: ProtocolName,
    bytes: Buffer,
    start: number,
    end: number,
    frame: HeaderFrame | undefined,
  ): void {
    const reader = protocol === "binary" ? this.binaryReader : this.compactReader;
    reader.reset(bytes, start, end);
    const { name, type, sequenceId } = reader.readHead();
    const bound = this.methods.get(name);
    const oneway = type === messageTypes.oneway || bound?.oneway === true;
    const request = new ThriftRequest(connection, bound ?? unknownMethod(name), form, protocol, sequenceId, oneway, performance.now());
    if (frame !== undefined) {
      request.headerBlocks = frame.headers;
      request.headerSequenceId = frame.sequenceId;
      request.headerFlags = frame.flags;
      if (frame.headers.count > 0) this.applyDeadline(request, frame.headers.find("deadline-budget"));
    }
    connection.activeRequests += 1;
    this.requests.add(request);
    if (bound === undefined) this.refuse(request, applicationErrors.unknownMethod, `unknown method "${name}"`);
    else if (type !== messageTypes.call && type !== messageTypes.oneway) {
      this.refuse(request, applicationErrors.invalidMessageType, `a server takes calls, found a message of type ${type}`);
    } else this.call(request, reader);
  }

  private call(request: ThriftRequest, reader: Reader): void {
    const writer = this.replies.writerOf(request);
    let given: unknown;
    try {
      given = requestStorage.run(request, callBound, request.bound, reader, writer, request);
    } catch (error) {
      // The depth is zero again when all arguments have been read: what is thrown then is the handler's.
      if (error instanceof ProtocolError && reader.depth > 0) return this.refuse(request, applicationErrors.protocolError, error.message);
      this.takeOrder(request);
      return this.fail(request, error);
    }
    if (request.bound.oneway === undefined && request.generatedCallback === undefined) request.isAnswered = false;
    this.takeOrder(request);
    if (isThenable(given)) {
      given.then(
        (value) => this.succeed(request, value),
        (error: unknown) => this.fail(request, error),
      );
    } else this.succeed(request, given);
  }

  /** An answer in the order of the requests, unless the client takes any. */
  private takeOrder(request: ThriftRequest): void {
    if (request.isAnswered && request.isOrdered) request.order = request.connection.takeOrder();
  }

  private succeed(request: ThriftRequest, value: unknown): void {
    if (request.isOver) return;
    this.over(request);
    let outcome = succeeded;
    if (request.isAnswered) {
      const writer = this.replies.begin(request);
      try {
        request.bound.writeResult(writer, request, value);
      } catch (error) {
        outcome = this.internalError(request, error);
      }
      this.replies.end(request);
    }
    this.onEnd?.(request, outcome);
    request.connection.requestEnded();
  }

  private fail(request: ThriftRequest, error: unknown): void {
    if (request.isOver) return;
    this.over(request);
    let outcome = failedWith(error);
    if (!request.isAnswered) this.logError(request, error);
    else {
      const writer = this.replies.begin(request);
      try {
        if (isApplicationError(error)) writeException(writer, request.method, request.sequenceId, error.type, error.message);
        else if (!request.bound.writeError(writer, request, error)) this.internalError(request, error);
      } catch (unwritable) {
        outcome = this.internalError(request, unwritable);
      }
      this.replies.end(request);
    }
    this.onEnd?.(request, outcome);
    request.connection.requestEnded();
  }

  /** A request whose handler is not called. */
  private refuse(request: ThriftRequest, type: number, message: string): void {
    this.takeOrder(request);
    this.fail(request, new ApplicationError(type, message));
  }

  /** What the app did not declare stays here: the caller learns only that it happened. */
  private internalError(request: ThriftRequest, error: unknown): Outcome {
    this.logError(request, error);
    writeException(this.replies.begin(request), request.method, request.sequenceId, applicationErrors.internalError, "Internal error");
    return failedWith(error);
  }

  private logError(request: ThriftRequest, error: unknown): void {
    const { traceId, spanId } = request.trace;
    this.log.error({ err: error, method: request.method, trace_id: traceId, span_id: spanId }, "the handler failed");
  }

  private over(request: ThriftRequest): void {
    request.isOver = true;
    if (request.deadlineTimer !== undefined) clearTimeout(request.deadlineTimer);
    this.requests.delete(request);
  }

  /** `Deadline-Budget`: how long the caller still waits, in milliseconds as text, fractions allowed; 0 and bad text mean no limit. */
  private applyDeadline(request: ThriftRequest, written: string | undefined): void {
    if (written === undefined || !/^-?\d+(\.\d+)?$/.test(written)) return;
    const budgetMs = Number(written);
    if (budgetMs === 0 || budgetMs > longestTimerMs) return;
    request.deadlineAt = request.startedAt + budgetMs;
    request.deadlineTimer = setTimeout(() => this.expire(request), Math.max(0, budgetMs));
  }

  /** The caller has stopped waiting: what the handler gives later is dropped. */
  private expire(request: ThriftRequest): void {
    if (request.isOver) return;
    const error = new ApplicationError(applicationErrors.internalError, "Deadline exceeded");
    request.abort(error);
    this.log.warn({ method: request.method, trace_id: request.trace.traceId }, "the caller's deadline has passed");
    this.fail(request, error);
  }

  /** The client can't know the form of an answer: as the reference does, a THeader frame without a method's name. */
  private refuseTransform(connection: Connection, error: UnknownTransformError, bytes: Buffer, start: number): void {
    const request = new ThriftRequest(connection, unknownMethod(""), "header", "binary", 0, false, performance.now());
    request.headerSequenceId = bytes.readInt32BE(start + 4);
    connection.activeRequests += 1;
    this.refuse(request, applicationErrors.invalidTransform, error.message);
  }

  /** Ends the requests of a connection that has closed: nobody waits for them. */
  abandon(connection: Connection): void {
    if (connection.activeRequests === 0) return;
    for (const request of this.requests) {
      if (!(request instanceof ThriftRequest) || request.connection !== connection) continue;
      this.over(request);
      request.abort(new Error("the client has closed the connection"));
      this.onEnd?.(request, failedWith(clientGone));
    }
    connection.activeRequests = 0;
  }

  protocolError(connection: Connection, reason: unknown): void {
    this.log.warn(
      {
        client: connection.socket.remoteAddress,
        reason: typeof reason === "string" ? reason : undefined,
        err: typeof reason === "string" ? undefined : reason,
      },
      "closed a connection: what it sent can't be read",
    );
  }
}

const clientGone = new Error("the client has closed the connection");
clientGone.name = "ClientDisconnected";

/** Longer ones overflow Node's timers, and are no limit to anybody. */
const longestTimerMs = 2 ** 31 - 1;

function callBound(bound: BoundMethod, reader: Reader, writer: Writer, request: ThriftRequest): unknown {
  return bound.call(reader, writer, request);
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && typeof (value as PromiseLike<unknown>).then === "function";
}

/** Ours, or one of the `thrift` package. */
function isApplicationError(error: unknown): error is ApplicationError {
  return error instanceof Error && error.name === "TApplicationException" && typeof (error as ApplicationError).type === "number";
}

function unknownMethod(name: string): BoundMethod {
  return {
    name,
    isUnknown: true,
    oneway: false,
    call: () => undefined,
    writeResult: () => undefined,
    writeError: () => false,
  };
}
