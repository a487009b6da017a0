import type { IncomingMessage, ServerResponse } from "node:http";
import type { HttpRequest } from "./http-request.ts";

/**
 * A client that says `Expect: 100-continue` sends its body when it is told to (RFC 9110, section 10.1.1). It is told when the
 * app begins to read, so that the body of a request that is refused anyway never travels.
 */
export function continueOnRead(request: HttpRequest): void {
  const { incoming, response } = request;
  if (response === undefined) return;
  request.awaitsContinue = true;
  // Node calls it when somebody wants data: an own property hides the method of the class until then.
  incoming._read = function (this: IncomingMessage, size: number): void {
    delete (this as { _read?: unknown })._read;
    request.awaitsContinue = false;
    sayContinue(request, response);
    this._read(size);
  };
}

/**
 * In its turn: Node puts the head of an answer that waits for those before it in front of all that was written to it, so that a
 * `100 Continue` that waits with it would come between head and body (`_send` in
 * github.com/nodejs/node/blob/main/lib/_http_outgoing.js).
 */
function sayContinue(request: HttpRequest, response: ServerResponse): void {
  if (response.headersSent || request.refusal !== undefined) return;
  if (response.socket === null) response.once("socket", () => sayContinue(request, response));
  else response.writeContinue();
}
