import { isThenable, type ActiveRequests } from "@tsserve/server";
import type { Logger } from "pino";
import { ApplicationError, applicationErrors } from "../application-error.ts";
import type { Reader } from "../codec/codec.ts";
import { BinaryReader } from "../protocol/binary-reader.ts";
import { CompactReader } from "../protocol/compact-reader.ts";
import { messageTypes } from "../protocol/reading.ts";
import { readHeaderFrame, UnknownTransformError, type HeaderFrame } from "../wire/header-frame.ts";
import type { WireLimits } from "../wire/limits.ts";
import { ProtocolError } from "../wire/protocol-error.ts";
import { sniff } from "../wire/sniff.ts";
import type { ProtocolName } from "../wire/types.ts";
import type { Answers } from "./answers.ts";
import { unknownMethod, type BoundMethod } from "./bound-method.ts";
import { applyDeadline } from "./deadline.ts";
import type { Replies } from "./replies.ts";
import type { RequestOrigin } from "./request-origin.ts";
import { ThriftRequest, type MessageForm } from "./thrift-request.ts";
import type { CallHandler } from "./trace-requests.ts";

export interface DispatcherOptions {
  readonly methods: ReadonlyMap<string, BoundMethod>;
  readonly limits: WireLimits;
  readonly requests: ActiveRequests;
  readonly log: Logger;
  readonly replies: Replies;
  readonly answers: Answers;
  readonly callHandler: CallHandler;
}

/** Makes a request of each message, calls its handler, and has what the handler gives answered. */
export class Dispatcher {
  readonly limits: WireLimits;
  readonly readers: Readonly<Record<ProtocolName, Reader>>;
  private readonly methods: ReadonlyMap<string, BoundMethod>;
  private readonly requests: ActiveRequests;
  private readonly log: Logger;
  private readonly replies: Replies;
  private readonly answers: Answers;
  private readonly callHandler: CallHandler;
  private readonly binaryReader: BinaryReader;
  private readonly compactReader: CompactReader;

  constructor({ methods, limits, requests, log, replies, answers, callHandler }: DispatcherOptions) {
    this.methods = methods;
    this.limits = limits;
    this.requests = requests;
    this.log = log;
    this.replies = replies;
    this.answers = answers;
    this.callHandler = callHandler;
    this.binaryReader = new BinaryReader(limits);
    this.compactReader = new CompactReader(limits);
    this.readers = { binary: this.binaryReader, compact: this.compactReader };
  }

  /** A whole THeader frame. @throws {ProtocolError} when it can't be read */
  headerFrame(origin: RequestOrigin, bytes: Buffer, start: number, end: number): void {
    let frame: HeaderFrame;
    try {
      frame = readHeaderFrame(bytes, start, end, this.limits);
    } catch (error) {
      if (error instanceof UnknownTransformError) this.refuseTransform(origin, error, bytes, start);
      throw error;
    }
    const { payload, payloadStart, payloadEnd, protocol } = frame;
    const sniffed = sniff(payload, payloadStart, payloadEnd, this.limits);
    if (sniffed?.form !== "unframed" || sniffed.protocol !== protocol)
      throw new ProtocolError(`the payload of the THeader frame is no message of the ${protocol} protocol`);
    this.message(origin, "header", protocol, payload, payloadStart, payloadEnd, frame);
  }

  /** A whole message. @throws {ProtocolError} when its head can't be read */
  message(
    origin: RequestOrigin,
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
    const request = new ThriftRequest(origin, bound ?? unknownMethod(name), form, protocol, sequenceId, oneway, origin.receivedAt);
    if (frame !== undefined) {
      request.headerBlocks = frame.headers;
      request.headerSequenceId = frame.sequenceId;
      request.headerFlags = frame.flags;
      if (frame.headers.count > 0) applyDeadline(request, frame.headers.find("deadline-budget"), this.expire);
    }
    origin.activeRequests += 1;
    this.requests.add(request);
    if (bound === undefined) this.answers.refuse(request, applicationErrors.unknownMethod, `unknown method "${name}"`);
    else if (type !== messageTypes.call && type !== messageTypes.oneway) {
      this.answers.refuse(request, applicationErrors.invalidMessageType, `a server takes calls, found a message of type ${type}`);
    } else this.call(request, reader);
  }

  private call(request: ThriftRequest, reader: Reader): void {
    const { answers } = this;
    const writer = this.replies.writerOf(request);
    let given: unknown;
    let isPromise: boolean;
    try {
      given = this.callHandler(request, reader, writer);
      isPromise = isThenable(given);
    } catch (error) {
      // The depth is zero again when all arguments have been read: what is thrown then is the handler's.
      if (error instanceof ProtocolError && reader.depth > 0)
        return answers.refuse(request, applicationErrors.protocolError, error.message);
      answers.takeOrder(request);
      return answers.fail(request, error);
    }
    if (request.bound.oneway === undefined && request.generatedCallback === undefined) request.isAnswered = false;
    answers.takeOrder(request);
    if (isPromise) {
      promiseOf(given as PromiseLike<unknown>).then(
        (value) => answers.succeed(request, value),
        (error: unknown) => answers.fail(request, error),
      );
    } else answers.succeed(request, given);
  }

  /** The caller has stopped waiting: what the handler gives later is dropped. */
  private readonly expire = (request: ThriftRequest): void => {
    if (request.isOver) return;
    const error = new ApplicationError(applicationErrors.internalError, "Deadline exceeded");
    request.abort(error);
    this.log.warn({ method: request.method, trace_id: request.trace.traceId }, "the caller's deadline has passed");
    this.answers.fail(request, error);
  };

  /** The client can't know the form of an answer: as the reference does, a THeader frame without a method's name. */
  private refuseTransform(origin: RequestOrigin, error: UnknownTransformError, bytes: Buffer, start: number): void {
    const request = new ThriftRequest(origin, unknownMethod(""), "header", "binary", 0, false, origin.receivedAt);
    request.headerSequenceId = bytes.readInt32BE(start + 4);
    origin.activeRequests += 1;
    this.answers.refuse(request, applicationErrors.invalidTransform, error.message);
  }

  /** Ends the requests of a connection that has closed: nobody waits for them. */
  abandon(origin: RequestOrigin): void {
    if (origin.activeRequests === 0) return;
    for (const request of this.requests) {
      if (request instanceof ThriftRequest && request.connection === origin) this.answers.abandon(request);
    }
    origin.activeRequests = 0;
  }
}

/** What has a `then` of its own may throw in it, call back twice, or at once. */
function promiseOf(given: PromiseLike<unknown>): Promise<unknown> {
  return given instanceof Promise ? given : Promise.resolve(given);
}
