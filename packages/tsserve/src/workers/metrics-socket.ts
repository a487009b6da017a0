import type { ChildProcess, SendHandle } from "node:child_process";
import { formatEndpoint, type Endpoint } from "@tsserve/config";
import { bindSockets, type BoundSocket } from "@tsserve/listener";
import type { Logger } from "pino";

const messageType = "tsserve:metrics-socket";
const retryMs = 1000;

/** The exporter's socket, which the master holds and all workers accept on: whoever is free answers a scrape. */
export class MetricsSocket {
  readonly #endpoint: Endpoint;
  readonly #log: Logger;
  /** Workers that are up. */
  readonly #workers = new Set<ChildProcess>();
  #sockets: readonly BoundSocket[] = [];
  #retry: NodeJS.Timeout | undefined;

  constructor(endpoint: Endpoint, log: Logger) {
    this.#endpoint = endpoint;
    this.#log = log;
  }

  /** Binds it; while somebody else has the port, it is tried again. */
  async open(): Promise<void> {
    const where = formatEndpoint(this.#endpoint);
    try {
      this.#sockets = await bindSockets([this.#endpoint]);
      this.#log.info(
        { endpoint: where },
        `metrics at http://${this.#sockets.map(({ endpoint }) => formatEndpoint(endpoint)).join(", ")}/metrics`,
      );
      for (const child of this.#workers) this.#send(child);
    } catch (error) {
      if (this.#retry === undefined)
        this.#log.warn({ err: error }, `metrics: cannot listen on ${where}; it is tried again until it can: ${(error as Error).message}`);
      this.#retry = setTimeout(() => void this.open(), retryMs).unref();
    }
  }

  give(child: ChildProcess): void {
    this.#workers.add(child);
    child.once("exit", () => this.#workers.delete(child));
    this.#send(child);
  }

  close(): void {
    clearTimeout(this.#retry);
    for (const socket of this.#sockets) socket.close();
  }

  #send(child: ChildProcess): void {
    for (const { handle } of this.#sockets)
      if (child.connected) child.send({ type: messageType }, handle as SendHandle, {}, () => undefined);
  }
}

/** The worker's side: sockets that come before somebody wants them are kept. */
export class MetricsSocketInbox {
  readonly #kept: object[] = [];
  #listen: ((handle: object) => void) | undefined;

  /** Must be made before the worker acknowledges: the socket comes then. */
  constructor() {
    process.on("message", (message: unknown, handle: unknown) => {
      const isOurs = (message as { type?: unknown } | null)?.type === messageType;
      if (!isOurs || typeof handle !== "object" || handle === null) return;
      if (this.#listen === undefined) this.#kept.push(handle);
      else this.#listen(handle);
    });
    process.channel?.unref();
  }

  each(listen: (handle: object) => void): void {
    this.#listen = listen;
    for (const handle of this.#kept.splice(0)) listen(handle);
  }
}
