import type { IncomingMessage } from "node:http";
import type { HttpRequest } from "./http-request.ts";
import { firstHeader } from "./raw-headers.ts";

/** Notes how large the body of a request is: by its head, where that says so; else what comes is counted. */
export function countBody(request: HttpRequest): void {
  const length = firstHeader(request.incoming, "content-length");
  if (length !== undefined) request.bodyBytes = Number(length) || 0;
  else if (firstHeader(request.incoming, "transfer-encoding") !== undefined) countWhatComes(request);
}

/** Node's parser pushes each piece of a body into the message. */
function countWhatComes(request: HttpRequest): void {
  const { incoming } = request;
  const push = incoming.push.bind(incoming);
  incoming.push = function (this: IncomingMessage, chunk: unknown, encoding?: BufferEncoding): boolean {
    if (Buffer.isBuffer(chunk)) request.bodyBytes += chunk.length;
    return push(chunk, encoding);
  };
}
