import type { ActiveRequests } from "@tsserve/server";
import type { Logger } from "pino";
import { ApplicationError, applicationErrors } from "../application-error.ts";
import { failedWith, succeeded, type Outcome } from "./outcome.ts";
import type { Replies } from "./replies.ts";
import type { ThriftRequest } from "./thrift-request.ts";
import { writeException } from "./write-exception.ts";

export interface AnswersOptions {
  readonly replies: Replies;
  readonly requests: ActiveRequests;
  readonly log: Logger;
  /** Called when a request is over. */
  readonly onEnd: ((request: ThriftRequest, outcome: Outcome) => void) | undefined;
}

/** Ends requests: answers each once, with what its handler gave or with what went wrong. */
export class Answers {
  private readonly replies: Replies;
  private readonly requests: ActiveRequests;
  private readonly log: Logger;
  private readonly onEnd: AnswersOptions["onEnd"];

  constructor({ replies, requests, log, onEnd }: AnswersOptions) {
    this.replies = replies;
    this.requests = requests;
    this.log = log;
    this.onEnd = onEnd;
  }

  /** An answer in the order of the requests, unless the client takes any. */
  takeOrder(request: ThriftRequest): void {
    if (request.isAnswered && request.isOrdered) request.order = request.connection.takeOrder();
  }

  /** The handler gave a value. */
  succeed(request: ThriftRequest, value: unknown): void {
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

  /** The handler threw, or its promise was rejected. */
  fail(request: ThriftRequest, error: unknown): void {
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
  refuse(request: ThriftRequest, type: number, message: string): void {
    this.takeOrder(request);
    this.fail(request, new ApplicationError(type, message));
  }

  /** Nobody waits for the answer any more: the client has gone. */
  abandon(request: ThriftRequest): void {
    this.over(request);
    request.abort(new Error("the client has closed the connection"));
    this.onEnd?.(request, failedWith(clientGone));
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
}

const clientGone = new Error("the client has closed the connection");
clientGone.name = "ClientDisconnected";

/** Ours, or one of the `thrift` package. */
function isApplicationError(error: unknown): error is ApplicationError {
  return error instanceof Error && error.name === "TApplicationException" && typeof (error as ApplicationError).type === "number";
}
