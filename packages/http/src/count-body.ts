import type { IncomingMessage } from "node:http";
import type { HttpRequest } from "./http-request.ts";

/**
 * Notes how large the body of a request is: by its head, where that says so; else what comes is counted. The names are
 * compared by their lengths first, and `headers`, which Node makes when it is asked for, is left alone.
 */
export function countBody(request: HttpRequest): void {
  const { rawHeaders } = request.incoming;
  for (let n = 0; n < rawHeaders.length; n += 2) {
    const name = rawHeaders[n] as string;
    if (name.length === 14 && name.toLowerCase() === "content-length") request.bodyBytes = Number(rawHeaders[n + 1]) || 0;
    else if (name.length === 17 && name.toLowerCase() === "transfer-encoding") countWhatComes(request);
  }
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
