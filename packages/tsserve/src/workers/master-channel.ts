import { readMessage, type MasterMessage, type WorkerMessage } from "@tsserve/master";

/** The part of `process` that is the channel to the parent. */
export interface ParentChannel {
  readonly connected: boolean;
  readonly channel?: { unref(): void } | undefined;
  on(event: "message", listener: (message: unknown, handle: unknown) => void): unknown;
  on(event: "disconnect", listener: () => void): unknown;
  send?(message: WorkerMessage, handle: undefined, options: object, sent: (error: Error | null) => void): boolean;
}

type Listener<T extends MasterMessage["type"]> = (message: Extract<MasterMessage, { type: T }>, handle: object | undefined) => void;

/**
 * A worker's side of the channel to our own master: what the master says is handed to whoever listens for its type, and
 * what comes before somebody does is kept for them. One of it is made, first of all, by a process that `isOwnWorker`.
 *
 *     const master = new MasterChannel(process);
 *     master.on("tsserve:stop", ({ reason }) => stop(reason));
 *     master.on("tsserve:hurry", ({ ends }) => (ends === "drain" ? endDrain() : cut()));
 *     master.tell({ type: "tsserve:leaving", reason: "SIGTERM" });
 *
 * Signals that such a worker gets from elsewhere never hurry it: systemd sends SIGTERM to every process of a unit, which
 * is the same order that the master has had and passes on. The first signal makes it leave; only `tsserve:hurry` ends
 * its drain or cuts its requests.
 */
export class MasterChannel {
  readonly #channel: ParentChannel;
  readonly #listeners = new Map<string, (message: MasterMessage, handle: object | undefined) => void>();
  readonly #kept: { readonly message: MasterMessage; readonly handle: object | undefined }[] = [];

  constructor(channel: ParentChannel) {
    this.#channel = channel;
    channel.on("message", (value: unknown, handle: unknown) => {
      const read = readMessage(value);
      // What is the app's, or makes no sense, is not for us: the master is another version, perhaps.
      if ("message" in read) this.#take(read.message as MasterMessage, typeof handle === "object" && handle !== null ? handle : undefined);
    });
    // To listen is no reason to live on.
    channel.channel?.unref();
  }

  /** Hands over what the master says of this type from now on, and what it has said. One listener for each type. */
  on<T extends MasterMessage["type"]>(type: T, listener: Listener<T>): void {
    this.#listeners.set(type, listener as (message: MasterMessage, handle: object | undefined) => void);
    for (const { message, handle } of this.#kept.splice(0)) this.#take(message, handle);
  }

  /** Calls back when the channel is closed: the master has gone, whatever the reason. At once, if it is closed already. */
  onGone(listener: () => void): void {
    if (this.#channel.connected) this.#channel.on("disconnect", listener);
    else listener();
  }

  /**
   * Says something to the master.
   *
   * @returns whether it has been handed over; false when the master has gone
   */
  tell(message: WorkerMessage): Promise<boolean> {
    const channel = this.#channel;
    if (!channel.connected || channel.send === undefined) return Promise.resolve(false);
    return new Promise((resolve) => channel.send?.(message, undefined, {}, (error) => resolve(error === null)));
  }

  #take(message: MasterMessage, handle: object | undefined): void {
    const listener = this.#listeners.get(message.type);
    if (listener === undefined) this.#kept.push({ message, handle });
    else listener(message, handle);
  }
}
