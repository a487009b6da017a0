import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { contentTypes, printParts, type TextFormat } from "./print.ts";
import type { MergedFamily } from "./merge.ts";

/** A scraper that asks for nothing, or reads nothing, is not waited for. */
const timeoutMs = 10_000;
const retryMs = 200;
const closeTimeoutMs = 250;
/** Below this, packing costs more than it saves. */
const leastPacked = 1024;

const compress = promisify(gzip);

export interface Page {
  readonly contentType: string;
  headers?(): Readonly<Record<string, string>>;
  body(): string | Promise<string>;
}

export interface ExporterOptions {
  /** Hands over what is exported now, which stays as it is until `use` is done. */
  collect<T>(use: (families: readonly MergedFamily[]) => Promise<T>): Promise<T>;
  /** What is served beside `/metrics`, by path. */
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
      const path = request.url?.split("?", 1)[0] ?? "";
      const page = this.#options.pages.get(path);
      if (request.method !== "GET" && request.method !== "HEAD") {
        response.setHeader("Allow", "GET, HEAD");
        await send(request, response, 405, "text/plain; charset=utf-8", "only GET is answered here\n");
      } else if (path === "/metrics") {
        const format = formatOf(request);
        await send(request, response, 200, contentTypes[format], await this.#options.collect((families) => printInTurns(families, format)));
      } else if (page !== undefined) {
        for (const [name, value] of Object.entries(page.headers?.() ?? {})) response.setHeader(name, value);
        await send(request, response, 200, page.contentType, await page.body());
      } else await send(request, response, 404, "text/plain; charset=utf-8", "there is nothing here; the metrics are at /metrics\n");
    } catch (error) {
      this.#options.onError(error);
      if (response.headersSent) response.destroy();
      else response.writeHead(500).end();
    }
  }
}

/** The event loop turns in between. */
async function printInTurns(families: readonly MergedFamily[], format: TextFormat): Promise<string> {
  const parts: string[] = [];
  for (const part of printParts(families, format)) {
    parts.push(part);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return parts.join("");
}

function formatOf({ headers }: IncomingMessage): TextFormat {
  return /\bapplication\/openmetrics-text\b/.test(headers.accept ?? "") ? "openmetrics" : "prometheus";
}

async function send(request: IncomingMessage, response: ServerResponse, status: number, type: string, text: string): Promise<void> {
  response.statusCode = status;
  response.setHeader("Content-Type", type);
  response.setHeader("X-Content-Type-Options", "nosniff");
  let body: string | Buffer = text;
  if (text.length >= leastPacked && acceptsGzip(request)) {
    body = await compress(text, { level: 1 });
    response.setHeader("Content-Encoding", "gzip");
  }
  response.setHeader("Vary", "Accept, Accept-Encoding");
  response.setHeader("Content-Length", Buffer.byteLength(body));
  response.end(request.method === "HEAD" ? undefined : body);
}

function acceptsGzip({ headers }: IncomingMessage): boolean {
  const accepted = headers["accept-encoding"] ?? "";
  return accepted.split(",").some((each) => /^\s*(?:gzip|\*)\s*(?:;\s*q=(?!0(?:\.0*)?\s*$).*)?$/.test(each));
}
