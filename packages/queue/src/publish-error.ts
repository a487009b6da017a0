/** Why a message was not published. A closed set. */
export type PublishErrorCode =
  /** No queue is bound for it: the broker has thrown it away. */
  | "NO_ROUTE"
  /** The broker took it, and then refused it: a queue is full, for one. */
  | "NACK"
  /** There was no answer in time: it may have been sent. */
  | "TIMEOUT"
  /** The connection was lost before the answer: it may have been sent. */
  | "LOST"
  /** There is no connection, or the broker takes no messages for now: it was not sent. */
  | "UNAVAILABLE"
  /** The broker refused it, or a part of it: the exchange, the topic or the queue is not there, it is too large, the rights are missing. */
  | "REFUSED";

/** A message that was not published, or not certainly. */
export class PublishError extends Error {
  override readonly name = "PublishError";
  readonly code: PublishErrorCode;
  /** Whether it may be at the broker all the same: publishing it again may make it two. */
  readonly mayHaveBeenSent: boolean;

  constructor(code: PublishErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.mayHaveBeenSent = code === "TIMEOUT" || code === "LOST";
  }
}
