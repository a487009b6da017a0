import { connect, type Socket } from "node:net";
import { ResponseReader } from "./response-reader.ts";

export interface LoadOptions {
  readonly host?: string;
  readonly port: number;
  /** How a connection is made; default plain TCP to `host` and `port`. `ready` is called when a request can be sent. */
  readonly open?: (ready: () => void) => Socket;
  /** The path to ask for; default `/`. */
  readonly path?: string;
  /** Sent with each request, as POST; default none, with GET. */
  readonly body?: string;
  /** A slow reader: how long it waits before it reads on, after each piece that it reads, in milliseconds. */
  readonly readDelayMs?: number;
  /** How many clients, each with one request at a time. */
  readonly clients: number;
  /** Whether a client keeps its connection until it is told to close it; else it opens one for each request. */
  readonly keepAlive: boolean;
  /** The body that each answer must have; a string, or a test. */
  readonly expect: string | ((body: string) => boolean);
  /** Milliseconds after which a request counts as hung; default 10,000. */
  readonly hungAfterMs?: number;
  /** Ends the load; requests in flight are finished. */
  readonly signal: AbortSignal;
}

/** What became of the requests: each is exactly one of these. */
export interface LoadResult {
  /** Answered in full, with the expected body. */
  ok: number;
  /** Answered with 503. */
  unavailable: number;
  /** Answered in full, but not as expected. */
  wrong: number;
  /** The connection was refused: nothing of the request was accepted. */
  refused: number;
  /** The connection ended before a byte of the answer. */
  reset: number;
  /** The connection ended in the middle of the answer. */
  truncated: number;
  hung: number;
  /** The first few failures, in words. */
  readonly failures: string[];
}

/** Requests over HTTP/1.1, each client one after the other, and none is ever retried. */
export async function load(options: LoadOptions): Promise<LoadResult> {
  const result: LoadResult = { ok: 0, unavailable: 0, wrong: 0, refused: 0, reset: 0, truncated: 0, hung: 0, failures: [] };
  await Promise.all(Array.from({ length: options.clients }, () => new Client(options, result).run()));
  return result;
}

/** All that was not answered as it should be. */
export function lost(result: LoadResult): number {
  return result.unavailable + result.wrong + result.refused + result.reset + result.truncated + result.hung;
}

class Client {
  readonly #options: LoadOptions;
  readonly #result: LoadResult;
  readonly #request: string;
  readonly #hungAfterMs: number;
  readonly #matches: (body: string) => boolean;
  #socket: Socket | undefined;
  #reader = new ResponseReader();
  #sentAt = 0;
  #finish: () => void = () => undefined;

  constructor(options: LoadOptions, result: LoadResult) {
    this.#options = options;
    this.#result = result;
    const { path = "/", keepAlive, expect, body } = options;
    const length = body === undefined ? "" : `Content-Length: ${Buffer.byteLength(body)}\r\n`;
    const head = `${body === undefined ? "GET" : "POST"} ${path} HTTP/1.1\r\nHost: localhost\r\n${length}`;
    this.#request = `${head}${keepAlive ? "" : "Connection: close\r\n"}\r\n${body ?? ""}`;
    this.#hungAfterMs = options.hungAfterMs ?? 10_000;
    this.#matches = typeof expect === "string" ? (answer) => answer === expect : expect;
  }

  run(): Promise<void> {
    return new Promise((resolve) => {
      const watch = setInterval(() => this.#checkHung(), 250);
      this.#finish = () => {
        clearInterval(watch);
        this.#leave();
        resolve();
      };
      this.#next();
    });
  }

  #next(): void {
    if (this.#options.signal.aborted) {
      this.#finish();
      return;
    }
    this.#sentAt = performance.now();
    this.#reader = new ResponseReader();
    if (this.#socket === undefined) this.#connect();
    else this.#socket.write(this.#request);
  }

  #connect(): void {
    const { host = "127.0.0.1", port, readDelayMs, open } = this.#options;
    let connected = false;
    const ready = (): void => {
      connected = true;
      socket.write(this.#request);
    };
    const socket = open === undefined ? connect({ host, port, noDelay: true }).once("connect", ready) : open(ready);
    this.#socket = socket;
    socket.on("data", (chunk) => {
      this.#read(socket, chunk);
      if (readDelayMs === undefined) return;
      socket.pause();
      setTimeout(() => socket.resume(), readDelayMs);
    });
    socket.on("error", (error: NodeJS.ErrnoException) => this.#ended(socket, connected ? "reset" : "refused", error.code ?? error.message));
    socket.on("close", () => this.#ended(socket, "reset", "closed"));
  }

  #read(socket: Socket, chunk: Buffer): void {
    if (socket !== this.#socket || this.#sentAt === 0) return;
    this.#reader.push(chunk);
    if (!this.#reader.isComplete) return;
    const { status, body, closes } = this.#reader;
    if (status === 503) this.#count("unavailable", `503 ${body.slice(0, 80)}`);
    else if (status !== 200 || !this.#matches(body)) this.#count("wrong", `${status} ${body.slice(0, 80)}`);
    else this.#result.ok += 1;
    if (closes || !this.#options.keepAlive) this.#leave();
    this.#next();
  }

  #ended(socket: Socket, how: "reset" | "refused", why: string): void {
    if (socket !== this.#socket || this.#sentAt === 0) return;
    // A response without a length ends with its connection.
    if (this.#reader.endsAtClose()) {
      if (this.#matches(this.#reader.body)) this.#result.ok += 1;
      else this.#count("wrong", this.#reader.body.slice(0, 80));
    } else this.#count(this.#reader.hasBegun ? "truncated" : how, why);
    this.#leave();
    // A refusal comes at once: without a pause this would be a busy loop.
    if (how === "refused") setTimeout(() => this.#next(), 10);
    else this.#next();
  }

  #checkHung(): void {
    if (this.#sentAt === 0 || performance.now() - this.#sentAt < this.#hungAfterMs) return;
    this.#count("hung", `no answer within ${this.#hungAfterMs} ms`);
    this.#leave();
    this.#next();
  }

  #count(kind: Exclude<keyof LoadResult, "failures" | "ok">, why: string): void {
    this.#result[kind] += 1;
    if (this.#result.failures.length < 10) this.#result.failures.push(`${kind}: ${why}`);
  }

  #leave(): void {
    this.#sentAt = 0;
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.on("error", () => undefined);
    socket?.destroy();
  }
}
