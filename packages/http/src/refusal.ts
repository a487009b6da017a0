/** Why a request is answered by the server, and not handed to the app. */
export interface Refusal {
  readonly status: number;
  /** For metrics and logs. */
  readonly reason: RejectionReason;
  /** For the client, and the log. */
  readonly message: string;
  /** What an operator can do about it, for the log. */
  readonly setting?: string;
  /** Whether the connection goes on. */
  readonly keepsConnection?: boolean;
  /** When the client may ask again. */
  readonly retryAfterSeconds?: number;
}

/** Values of the label `reason` of `http_server_rejected_requests_total`. */
export type RejectionReason = "parse" | "timeout" | "header" | "size" | "tls" | "proxy_protocol" | "overload";

/** What can't be read, or is no request. */
export function badRequest(message: string): Refusal {
  return { status: 400, reason: "parse", message };
}

export function tooManyHeaderLines(maxHeaderLines: number): Refusal {
  return {
    status: 431,
    reason: "header",
    message: `the request has more than ${maxHeaderLines} header lines`,
    setting: `max_header_count = ${maxHeaderLines}`,
  };
}

export function headTooLarge(maxHeaderBytes: number): Refusal {
  return {
    status: 431,
    reason: "header",
    message: `the head of the request is larger than ${maxHeaderBytes} bytes`,
    setting: `max_header_size = ${maxHeaderBytes}`,
  };
}

export const requestTimedOut: Refusal = { status: 408, reason: "timeout", message: "the request did not come in time" };
export const expectationFailed: Refusal = {
  status: 417,
  reason: "header",
  message: "the only expectation that is met here is 100-continue",
};
export const nobodyTunnels: Refusal = { status: 501, reason: "parse", message: "CONNECT is not served here" };
