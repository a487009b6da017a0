import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";

/**
 * What becomes of what is sent: it is taken, refused with this status, answered with nonsense, never answered, or without an end; the
 * connection is reset, it is too much just now (429, 503: come again in an hour), or the answer comes late.
 */
export type Answer = "takes" | "refuses" | "nonsense" | "silent" | "drips" | "resets" | "too much" | "unavailable" | "slow";

/** Answers of those that take nothing for a while. */
const busy: Readonly<Partial<Record<Answer, number>>> = { "too much": 429, unavailable: 503 };
const slowMs = 1500;

export interface Receiver extends AsyncDisposable {
  readonly port: number;
  readonly requests: IncomingMessage[];
}

export interface ReceiverOptions {
  readonly answer: Answer;
  /** The status of a refusal. */
  readonly refusal: number;
  /** The body of what was sent, unpacked; not told of what is refused. */
  taken(body: Buffer): void;
  /** Told of all that comes. */
  received?(body: Buffer): void;
}

/** Stands for a service that others send reports to: a collector of traces, a tracker of errors. */
export async function receive({ answer, refusal, taken, received }: ReceiverOptions): Promise<Receiver> {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const sent = Buffer.concat(parts);
      const body = request.headers["content-encoding"] === "gzip" ? gunzipSync(sent) : sent;
      received?.(body);
      if (answer === "silent") return;
      if (answer === "resets") {
        request.socket.resetAndDestroy();
        return;
      }
      if (answer === "drips") {
        const drip = setInterval(() => response.write(" "), 50);
        response.on("close", () => clearInterval(drip));
        return;
      }
      if (answer === "takes" || answer === "slow") taken(body);
      if (answer === "nonsense") response.writeHead(200, { "content-type": "application/x-protobuf" }).end(Buffer.alloc(100_000, 0xff));
      else if (busy[answer] !== undefined) response.writeHead(busy[answer], { "retry-after": "3600" }).end();
      else if (answer === "slow") setTimeout(() => response.end("{}"), slowMs).unref();
      else response.writeHead(answer === "takes" ? 200 : refusal).end("{}");
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
