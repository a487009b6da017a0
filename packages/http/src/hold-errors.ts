import { ServerResponse } from "node:http";
import { requestKey, type HttpRequest } from "./http-request.ts";

type Emit = (event: string | symbol, first?: unknown, second?: unknown) => boolean;

interface EmittingResponse {
  [requestKey]?: HttpRequest;
  emit: Emit;
  listenerCount(event: string): number;
}

const { emit } = ServerResponse.prototype as { emit: Emit };

/**
 * Takes the errors of responses to which nobody listens: Node emits one where an app writes or ends after the end
 * (`ERR_STREAM_WRITE_AFTER_END`), which nobody catches, so that one answer's fault would end the process and everybody's.
 *
 * @param failed is told of each
 * @returns what is called with each response before the app has it
 */
export function makeHoldErrors(failed: (request: HttpRequest, thrown: unknown) => void): (response: ServerResponse) => void {
  // One function for all responses, rather than a closure or a listener for each. A response's events have two values at most.
  function emitHeld(this: EmittingResponse, event: string | symbol, first?: unknown, second?: unknown): boolean {
    const request = event === "error" ? this[requestKey] : undefined;
    if (request === undefined || this.listenerCount("error") > 0) return emit.call(this, event, first, second);
    failed(request, first);
    return true;
  }

  return (response) => {
    (response as unknown as EmittingResponse).emit = emitHeld;
  };
}
