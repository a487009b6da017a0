export type TransportErrorCode =
  /** Nobody listens, the connection could not be made in time, or ended before the call was sent: nothing was. */
  | "NOT_OPEN"
  /** No answer in time; whether the server has acted is not known. */
  | "TIMED_OUT"
  /** The connection ended before the answer; whether the server has acted is not known. */
  | "END_OF_FILE"
  /** No connection of the pool was free in time: nothing was sent. */
  | "POOL_EXHAUSTED"
  /** The client has been closed: nothing was sent. */
  | "CLOSED";

/** A call failed on its way. */
export class TransportError extends Error {
  override readonly name = "TTransportException";
  readonly code: TransportErrorCode;

  constructor(code: TransportErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
