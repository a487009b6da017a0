import { formatEndpoint, type Endpoint } from "@tsserve/config";
import { bindSockets, type BoundSocket } from "@tsserve/listener";
import type { WorkerProcess } from "@tsserve/master";
import type { Logger } from "pino";
import type { MasterChannel } from "./master-channel.ts";

const retryMs = 1000;

/** The exporter's socket, which the master holds and all workers accept on: whoever is free answers a scrape. */
export class MetricsSocket {
  readonly #endpoint: Endpoint;
  readonly #log: Logger;
  /** Workers that are up. */
  readonly #workers = new Set<WorkerProcess>();
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
      for (const worker of this.#workers) this.#send(worker);
    } catch (error) {
      if (this.#retry === undefined)
        this.#log.warn({ err: error }, `metrics: cannot listen on ${where}; it is tried again until it can: ${(error as Error).message}`);
      this.#retry = setTimeout(() => void this.open(), retryMs).unref();
    }
  }

  /** Gives it to a worker that is up: now, or when there is one. */
  give(worker: WorkerProcess): void {
    this.#workers.add(worker);
    worker.child.once("exit", () => this.#workers.delete(worker));
    this.#send(worker);
  }

  close(): void {
    clearTimeout(this.#retry);
    for (const socket of this.#sockets) socket.close();
  }

  #send(worker: WorkerProcess): void {
    for (const { handle } of this.#sockets) worker.send({ type: "tsserve:metrics-socket" }, handle);
  }
}

/** The worker's side: sockets that come before somebody wants them are kept by the channel. */
export class MetricsSocketInbox {
  readonly #master: MasterChannel;

  constructor(master: MasterChannel) {
    this.#master = master;
  }

  each(listen: (handle: object) => void): void {
    this.#master.on("tsserve:metrics-socket", (_, handle) => {
      if (handle !== undefined) listen(handle);
    });
  }
}
