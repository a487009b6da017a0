import { once } from "node:events";
import { createServer, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A request to AWS, as the proxy sees it. */
export interface SeenRequest {
  /** Such as `AmazonSQS.ReceiveMessage`. */
  readonly target: string;
  readonly body: string;
}

/** What the proxy answers itself: a status, an error of AWS by its name, or an answer; `undefined` hands the request on. */
export type Fault = number | { readonly error: string } | object | undefined;

export interface FaultProxy extends AsyncDisposable {
  readonly address: string;
  onRequest: (request: SeenRequest) => Fault;
}

/** Stands before an AWS, and does what the emulator does not: fails. */
export async function faultProxy(upstream: string): Promise<FaultProxy> {
  const { hostname, port } = new URL(upstream);
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", () => {
      const body = Buffer.concat(chunks);
      const fault = proxy.onRequest({ target: String(incoming.headers["x-amz-target"] ?? ""), body: body.toString() });
      if (fault !== undefined) return answer(response, fault);
      const { method = "POST", url = "/", headers } = incoming;
      const upstreamRequest = request({ hostname, port, method, path: url, headers }, (answered) => {
        response.writeHead(answered.statusCode ?? 500, answered.headers);
        answered.pipe(response);
      });
      upstreamRequest.on("error", () => response.destroy());
      upstreamRequest.end(body);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const proxy: FaultProxy = {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    onRequest: () => undefined,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return proxy;
}

function answer(response: ServerResponse, fault: NonNullable<Fault>): void {
  const type = { "Content-Type": "application/x-amz-json-1.0" };
  if (typeof fault === "number") response.writeHead(fault, type).end("{}");
  else if ("error" in fault)
    response.writeHead(400, type).end(JSON.stringify({ __type: `com.amazonaws.sqs#${fault.error}`, message: "a fault" }));
  else response.writeHead(200, type).end(JSON.stringify(fault));
}
