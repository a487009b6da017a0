import { TsserveError } from "@tsserve/config";

/** Thrown by a handler: the message comes back later, and this counts as one of its retries. */
export class RetryMessage extends Error {
  override readonly name = "RetryMessage";
  /** Milliseconds, or the text of a timespan such as `10 minutes`; default the consumer's own delay. */
  readonly after: number | string | undefined;

  constructor(options: { readonly after?: number | string; readonly message?: string; readonly cause?: unknown } = {}) {
    super(options.message ?? "the handler asked for a retry", options.cause === undefined ? undefined : { cause: options.cause });
    this.after = options.after;
  }
}

/** Thrown by a handler, or by a parser: no retry would help, so the message goes to the dead letters at once. */
export class RejectMessage extends Error {
  override readonly name = "RejectMessage";

  constructor(message = "the handler rejected the message", options?: ErrorOptions) {
    super(message, options);
  }
}

/** Thrown by a handler: the message goes back to its queue, uncounted, and the server ends with exit code 1. */
export class FatalError extends Error {
  override readonly name = "FatalError";

  constructor(message = "the handler can't go on", options?: ErrorOptions) {
    super(message, options);
  }
}

/** What a broker, or its library, does not let us do; the message is for the person who runs the server. */
export class BrokerError extends TsserveError {
  override readonly name = "BrokerError";
  /** What is wrong in one word, for metrics and tests. */
  readonly reason: BrokerErrorReason;
  /** Whether trying again does not help until somebody changes something: a start fails at once. */
  readonly isPermanent: boolean;

  constructor(reason: BrokerErrorReason, message: string, { isPermanent = false, cause }: { isPermanent?: boolean; cause?: unknown } = {}) {
    super("ERR_TSSERVE_BROKER", message, { cause });
    this.reason = reason;
    this.isPermanent = isPermanent;
  }
}

/** A closed set: it is a metric's label. */
export type BrokerErrorReason =
  /** Nobody there, or not reached in time. */
  | "unreachable"
  /** The connection was there, and has gone. */
  | "connection_lost"
  /** The channel of one consumer was closed. */
  | "channel_closed"
  /** The broker ended the subscription: the queue was deleted, or has moved. */
  | "cancelled"
  /** A step was not answered in time. */
  | "timeout"
  /** Login, virtual host, certificate or permission. */
  | "refused"
  /** The queue or the exchange is not there, or is another. */
  | "topology"
  /** The broker's library is not installed. */
  | "library";

/**
 * Whether an error is of a class of ours; by its name, because an app may have a copy of this package of its own.
 */
export function isNamed<N extends "RetryMessage" | "RejectMessage" | "FatalError">(
  error: unknown,
  name: N,
): error is N extends "RetryMessage" ? RetryMessage : Error {
  try {
    return error instanceof Error && error.name === name;
  } catch {
    // Anything can be thrown: a proxy, or an error with a getter that throws.
    return false;
  }
}
