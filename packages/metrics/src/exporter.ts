import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { acceptsGzip } from "./accept.ts";

/** A scraper that asks for nothing, or reads nothing, is not waited for. */
const timeoutMs = 10_000;
const retryMs = 200;
const closeTimeoutMs = 250;
/** Below this, packing costs more than it saves. */
const leastPacked = 1024;

const compress = promisify(gzip);

/** What is answered to a request. */
export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
  /** Packs the body: those who share an answer share it packed, too. */
  readonly packed?: () => Promise<Buffer>;
}

/** What is served at a path. */
export type Page = (request: IncomingMessage) => Answer | Promise<Answer>;

export interface ExporterOptions {
  /** By path. */
  readonly pages: ReadonlyMap<string, Page>;
  onError(error: unknown): void;
}

/** Where the exporter listens: it tries again until it can. */
export interface Place {
  listen(server: Server): void;
  /** Told once, until it listens. */
  onBusy(error: NodeJS.ErrnoException): void;
  onListening(): void;
}

/**
 * Serves the metrics of all workers. Every answer closes its connection: the next scrape may be taken by another worker,
 * if this one stands still by then.
 */
export class Exporter {
  readonly #options: ExporterOptions;
  readonly #servers = new Set<Server>();
  readonly #retries = new Set<NodeJS.Timeout>();

  constructor(options: ExporterOptions) {
    this.#options = options;
  }

  listenAt(place: Place): void {
    const server = createServer((request, response) => void this.#answer(request, response));
    server.headersTimeout = timeoutMs;
    server.requestTimeout = timeoutMs;
    server.keepAliveTimeout = 1;
    server.setTimeout(timeoutMs);
    this.#servers.add(server);
    server.unref();
    let isTold = false;
    server.on("error", (error: NodeJS.ErrnoException) => {
      // Something else than the listening failed, such as an accept without a descriptor left.
      if (server.listening) return;
      if (!isTold) place.onBusy(error);
      isTold = true;
      const retry = setTimeout(() => {
        this.#retries.delete(retry);
        place.listen(server);
      }, retryMs).unref();
      this.#retries.add(retry);
    });
    server.on("listening", () => {
      isTold = false;
      place.onListening();
    });
    place.listen(server);
  }

  /** Those who wait for an answer get it, if they asked soon enough. */
  async close(): Promise<void> {
    for (const retry of this.#retries) clearTimeout(retry);
    const closed = [...this.#servers].map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([Promise.all(closed), new Promise((resolve) => (timer = setTimeout(resolve, closeTimeoutMs)))]);
    clearTimeout(timer);
    for (const server of this.#servers) server.closeAllConnections();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader("Connection", "close");
    try {
      const page = this.#options.pages.get(request.url?.split("?", 1)[0] ?? "");
      if (request.method !== "GET" && request.method !== "HEAD") {
        response.setHeader("Allow", "GET, HEAD");
        await send(request, response, plain(405, "only GET is answered here\n"));
      } else if (page === undefined) await send(request, response, plain(404, "there is nothing here; the metrics are at /metrics\n"));
      else await send(request, response, await page(request));
    } catch (error) {
      this.#options.onError(error);
      if (response.headersSent) response.destroy();
      else response.writeHead(500).end();
    }
  }
}

/** An answer in words. */
export function plain(status: number, body: string): Answer {
  return { status, contentType: "text/plain; charset=utf-8", body };
}

/** A text that is packed once, whoever wants it so. */
export function shared(answer: Omit<Answer, "packed">): Answer {
  let packed: Promise<Buffer> | undefined;
  return { ...answer, packed: () => (packed ??= pack(answer.body)) };
}

function pack(text: string | Buffer): Promise<Buffer> {
  return compress(text, { level: 1 });
}

async function send(request: IncomingMessage, response: ServerResponse, answer: Answer): Promise<void> {
  response.statusCode = answer.status;
  response.setHeader("Content-Type", answer.contentType);
  response.setHeader("X-Content-Type-Options", "nosniff");
  for (const [name, value] of Object.entries(answer.headers ?? {})) response.setHeader(name, value);
  let body: string | Buffer = answer.body;
  if (body.length >= leastPacked && acceptsGzip(request.headers["accept-encoding"])) {
    body = await (answer.packed?.() ?? pack(body));
    response.setHeader("Content-Encoding", "gzip");
  }
  response.setHeader("Vary", "Accept, Accept-Encoding");
  response.setHeader("Content-Length", Buffer.byteLength(body));
  response.end(request.method === "HEAD" ? undefined : body);
}
