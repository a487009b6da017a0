import type { ServerResponse } from "node:http";

/** What Node keeps of an answer: the length that its head announces, whether it has a body at all, and the head. */
interface SentResponse extends ServerResponse {
  readonly _contentLength?: number | null;
  readonly _hasBody?: boolean;
  readonly _header?: string | null;
  /** Of an answer over HTTP/2. */
  readonly sentBodyBytes?: number;
}

/**
 * How long an answer is with its head, as the head itself tells; `undefined` where it does not. What the socket counts is asked of the
 * system's side, and need not be for those that say it.
 */
export function announcedBytes(response: SentResponse | undefined): number | undefined {
  if (response === undefined || response.chunkedEncoding) return undefined;
  const { _header: head, _contentLength: length, _hasBody: hasBody } = response;
  if (typeof head !== "string") return undefined;
  if (hasBody === false) return head.length;
  return typeof length === "number" ? head.length + length : undefined;
}

/** How many bytes the body of an answer had. Of one without a length, the framing of its chunks is counted, too. */
export function bodyBytesOf(
  { _contentLength: length, _hasBody: hasBody, _header: head, sentBodyBytes }: SentResponse,
  bytes: number,
): number {
  if (sentBodyBytes !== undefined) return sentBodyBytes;
  if (hasBody === false) return 0;
  return typeof length === "number" ? length : Math.max(0, bytes - (head?.length ?? 0));
}
