import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";

/** Answers a request whose body is, or grows, larger than the limit with a 413 and closes its connection. */
export function limitBody(handle: RequestListener, maxBytes: number): RequestListener {
  return (request, response) => {
    const declared = request.headers["content-length"];
    if (declared !== undefined && Number(declared) > maxBytes) {
      refuse(response, maxBytes);
      return;
    }
    if (declared === undefined && request.headers["transfer-encoding"] !== undefined) countBody(request, response, maxBytes);
    handle(request, response);
  };
}

/** A chunked body tells no size: what the parser pushes is counted on its way, whoever reads it. */
function countBody(request: IncomingMessage, response: ServerResponse, maxBytes: number): void {
  const push = request.push.bind(request);
  let bytes = 0;
  request.push = (chunk: Buffer | string | null, encoding?: BufferEncoding): boolean => {
    bytes += chunk === null ? 0 : chunk.length;
    if (bytes <= maxBytes) return push(chunk, encoding);
    // What still comes is thrown away, so that the client gets to read the answer.
    request.push = () => true;
    refuse(response, maxBytes);
    // Not `destroy`: that would take the connection along, and the answer with it.
    if (request.listenerCount("error") > 0)
      request.emit(
        "error",
        Object.assign(new Error(`the request body is larger than client_max_size (${maxBytes} bytes)`), { code: "ERR_BODY_TOO_LARGE" }),
      );
    return true;
  };
}

function refuse(response: ServerResponse, maxBytes: number): void {
  if (response.headersSent) return;
  const body = JSON.stringify({
    statusCode: 413,
    error: "Payload Too Large",
    message: `the request body is larger than ${maxBytes} bytes`,
  });
  response.writeHead(413, {
    "Content-Type": "application/json; charset=utf-8",
    "Content-Length": Buffer.byteLength(body),
    Connection: "close",
  });
  response.end(body);
}
