import type { Refusal } from "./refusal.ts";
import type { HttpRequest } from "./http-request.ts";
import type { HttpSettings } from "./settings.ts";

/**
 * Has a request refused whose body is, or grows, larger than the limit.
 *
 * @param refuse tells whether that was still possible
 * @returns whether it was refused at once, by the length that its head tells
 */
export function limitBody(request: HttpRequest, maxBytes: number, refuse: (request: HttpRequest) => boolean): boolean {
  const { headers } = request.incoming;
  const declared = headers["content-length"];
  if (declared === undefined) {
    if (headers["transfer-encoding"] !== undefined) limitWhatComes(request, maxBytes, refuse);
    return false;
  }
  if (Number(declared) <= maxBytes) return false;
  return refuse(request);
}

export function bodyTooLarge({ clientMaxBytes, clientMaxSize }: Pick<HttpSettings, "clientMaxBytes" | "clientMaxSize">): Refusal {
  return {
    status: 413,
    reason: "size",
    message: `the request body is larger than ${clientMaxBytes} bytes`,
    setting: `client_max_size = ${clientMaxSize}`,
  };
}

/** A chunked body tells no size: what the parser pushes is counted on its way, whoever reads it. */
function limitWhatComes(request: HttpRequest, maxBytes: number, refuse: (request: HttpRequest) => boolean): void {
  const { incoming, connection } = request;
  const push = incoming.push.bind(incoming);
  let bytes = 0;
  incoming.push = (chunk: Buffer | string | null, encoding?: BufferEncoding): boolean => {
    bytes += chunk === null ? 0 : chunk.length;
    if (bytes <= maxBytes) return push(chunk, encoding);
    // What still comes is thrown away, so that the client gets to read the answer.
    incoming.push = () => true;
    const isRefused = refuse(request);
    // Where the app's own answer has begun, or ended, the connection can do no more than end after it.
    if (!isRefused && request.isOver) connection.socket.destroySoon();
    else if (!isRefused) connection.whenAnswered ??= () => connection.socket.destroySoon();
    // Not `destroy`: that would take the connection along, and the answer with it.
    if (incoming.listenerCount("error") > 0)
      incoming.emit(
        "error",
        Object.assign(new Error(`the request body is larger than client_max_size (${maxBytes} bytes)`), { code: "ERR_BODY_TOO_LARGE" }),
      );
    return true;
  };
}
