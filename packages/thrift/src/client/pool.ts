import { timerMs, type PoolFigures } from "@tsserve/server";
import type { Call } from "./call.ts";
import { ClientConnection, ClientMemory } from "./client-connection.ts";
import type { ClientSettings } from "./options.ts";
import { TransportError } from "./transport-error.ts";

/** A connection that had no call for so long may have been ended by the server. */
const quietMs = 1;

/** A call that waits for a connection. */
interface Waiting {
  /** Sends it at once: a connection that is free must not be taken twice. */
  use(connection: ClientConnection): void;
  reject(error: unknown): void;
}

/** The connections of a client: made when they are needed, the one used last first, given up when they are old. */
export class Pool {
  readonly #settings: ClientSettings;
  readonly #memory: ClientMemory;
  /** All that are open, the one that was used last at the end. */
  readonly #connections: ClientConnection[] = [];
  readonly #waiting: Waiting[] = [];
  /** Connections that are being made. */
  #opening = 0;
  #isClosed = false;

  constructor(settings: ClientSettings) {
    this.#settings = settings;
    this.#memory = new ClientMemory(settings);
  }

  figures(): PoolFigures {
    const inUse = this.#connections.filter(({ outstanding }) => outstanding > 0).length;
    return { size: this.#connections.length, idle: this.#connections.length - inUse, inUse, waiting: this.#waiting.length };
  }

  /**
   * Sends a call on a connection that has room for it.
   *
   * @throws {TransportError} when there is none in time
   * @throws {TypeError} when an argument does not fit its type
   */
  async send(call: Call): Promise<ClientConnection> {
    let free = this.#free();
    if (free !== undefined && isQuiet(free)) {
      await readWhatCame();
      free = this.#free();
    }
    if (free !== undefined) return use(free, call);
    if (this.#connections.length + this.#opening >= this.#settings.size) return this.#wait(call);
    return this.#openFor(call);
  }

  close(): void {
    this.#isClosed = true;
    for (const waiting of this.#waiting.splice(0)) waiting.reject(closed());
    // Each leaves the list as it closes.
    for (const connection of this.#connections.slice()) connection.close();
  }

  /** One that is open and has room, those that are too old left out. */
  #free(): ClientConnection | undefined {
    if (this.#isClosed) throw closed();
    const { maxPipelined, maxAgeMs } = this.#settings;
    const oldest = performance.now() - maxAgeMs;
    for (let index = this.#connections.length - 1; index >= 0; index--) {
      const connection = this.#connections[index] as ClientConnection;
      if (!connection.isUsable || connection.outstanding >= maxPipelined) continue;
      if (connection.openedAt > oldest) return connection;
      connection.retire();
      if (connection.outstanding === 0) connection.close();
    }
    return undefined;
  }

  async #openFor(call: Call): Promise<ClientConnection> {
    this.#opening += 1;
    let connection: ClientConnection;
    try {
      connection = await this.#connect();
    } catch (error) {
      // Whoever waits behind this call is not to wait for a connection that will not come.
      this.#waiting.shift()?.reject(error);
      throw error;
    } finally {
      this.#opening -= 1;
    }
    this.#connections.push(connection);
    use(connection, call);
    this.#freed(connection);
    return connection;
  }

  async #connect(): Promise<ClientConnection> {
    for (let attempt = 1; ; attempt++) {
      try {
        const connection = await ClientConnection.open(this.#settings, this.#memory, (each) => this.#freed(each));
        if (!this.#isClosed) return connection;
        connection.close();
      } catch (error) {
        if (attempt >= this.#settings.maxConnectionAttempts || this.#isClosed) throw error;
      }
      if (this.#isClosed) throw closed();
    }
  }

  #wait(call: Call): Promise<ClientConnection> {
    const { timeoutMs, size } = this.#settings;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        reject(new TransportError("POOL_EXHAUSTED", `none of the pool's ${size} connections was free within ${timeoutMs} ms`));
      }, timerMs(timeoutMs));
      const waiting: Waiting = {
        use: (connection) => {
          clearTimeout(timer);
          try {
            resolve(use(connection, call));
          } catch (error) {
            reject(error as Error);
          }
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error as Error);
        },
      };
      this.#waiting.push(waiting);
    });
  }

  /** A connection has room again, or has ended: those that wait get it, or another one in its place. */
  #freed(connection: ClientConnection): void {
    const index = this.#connections.indexOf(connection);
    if (connection.socket.destroyed && index !== -1) this.#connections.splice(index, 1);
    while (!this.#isClosed && this.#waiting.length > 0) {
      const free = this.#free();
      if (free !== undefined) this.#waiting.shift()?.use(free);
      else {
        if (this.#connections.length + this.#opening < this.#settings.size) this.#openForWaiting();
        return;
      }
    }
  }

  #openForWaiting(): void {
    this.#opening += 1;
    this.#connect().then(
      (connection) => {
        this.#opening -= 1;
        this.#connections.push(connection);
        this.#freed(connection);
      },
      (error: unknown) => {
        this.#opening -= 1;
        this.#waiting.shift()?.reject(error);
      },
    );
  }
}

/** Whether a connection has idled: its end may have come, and wait to be read. */
function isQuiet({ outstanding, idleSince }: ClientConnection): boolean {
  return outstanding === 0 && performance.now() - idleSince > quietMs;
}

/**
 * Lets Node read what has come. A call that is sent after the end of its connection is lost, and the end may wait: a timer's
 * code runs before what came while this process slept. The first immediate ends the current round of the event loop, in
 * which the sockets may have been asked already; before the second they are asked once more.
 */
function readWhatCame(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}

function use(connection: ClientConnection, call: Call): ClientConnection {
  connection.send(call);
  return connection;
}

function closed(): TransportError {
  return new TransportError("CLOSED", "the client has been closed");
}
