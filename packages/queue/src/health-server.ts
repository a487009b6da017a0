import { createServer, type IncomingMessage, type Server as HttpServer, type ServerResponse } from "node:http";
import { stopAccepting, type Listener } from "@tsserve/listener";
import { parseProbe, type Health } from "@tsserve/server";

const path = "/health";

/** What a worker's listener serves: `/health`, for probes. Nothing else comes by a connection, so nothing is owed to one at a stop. */
export class HealthServer {
  readonly #servers: HttpServer[] = [];
  readonly #listeners: readonly Listener[];
  readonly #health: Health;

  constructor(listeners: readonly Listener[], health: Health) {
    this.#listeners = listeners;
    this.#health = health;
  }

  /** @throws {ListenError} */
  async start(): Promise<void> {
    for (const listener of this.#listeners) {
      const server = createServer((request, response) => void this.#answer(request, response));
      this.#servers.push(server);
      await listener.listen(server);
    }
  }

  stop(): void {
    for (const server of this.#servers) {
      if (server.listening) stopAccepting(server);
      server.closeAllConnections();
    }
  }

  addresses(): string[] {
    return this.#servers.flatMap((server) => {
      const address = server.address();
      if (address === null) return [];
      if (typeof address === "string") return [address];
      const host = address.family === "IPv6" ? `[${address.address}]` : address.address;
      return [`http://${host}:${address.port}`];
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.resume();
    // Taken apart by hand: a target such as `//` is no URL, and what `URL` throws here would end the process.
    const [pathname, search] = (request.url ?? "").split("?", 2);
    if (pathname !== path) return send(response, 404, { status: "not_found", expected: path });
    const status = await this.#health.answer(parseProbe(new URLSearchParams(search).get("type") ?? "") ?? "readiness");
    send(response, status === "ok" ? 200 : 503, { status });
  }
}

function send(response: ServerResponse, statusCode: number, body: object): void {
  const text = JSON.stringify(body);
  response.writeHead(statusCode, {
    "Content-Type": "application/json; charset=utf-8",
    "Content-Length": Buffer.byteLength(text),
    "Cache-Control": "no-store",
  });
  response.end(text);
}
