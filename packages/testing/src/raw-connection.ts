import { connect, type NetConnectOpts, type Socket } from "node:net";
import { until } from "./until.ts";

/** A connection on which a test says just what it wants to, byte by byte. */
export interface RawConnection extends Disposable {
  readonly socket: Socket;
  send(text: string | Buffer): void;
  /** All that has come. */
  received(): string;
  /** Waits until what has come matches. */
  receives(pattern: RegExp): Promise<string>;
  /** Waits for the end; gives all that came. */
  closed(timeoutMs?: number): Promise<string>;
  readonly isClosed: boolean;
  /** The error that the connection ended with, such as `ECONNRESET`. */
  readonly error: string | undefined;
}

/** Connects to a base URL such as `http://127.0.0.1:9090`, or to a unix socket's path. */
export async function openRaw(where: string): Promise<RawConnection> {
  const socket = connect(target(where));
  let received = "";
  let isClosed = false;
  let error: string | undefined;
  socket.on("data", (chunk) => (received += chunk.toString("latin1")));
  socket.on("error", (failure: NodeJS.ErrnoException) => (error = failure.code ?? failure.message));
  socket.on("close", () => (isClosed = true));
  const describe = (): string => `received ${JSON.stringify(received)}, error ${error}, closed ${isClosed}`;
  await until(`a connection to ${where}`, () => socket.readyState === "open" || isClosed, { describe });
  return {
    socket,
    send: (text) => void socket.write(text),
    received: () => received,
    receives: (pattern) => until(`${pattern} to arrive`, () => pattern.exec(received)?.[0], { describe }),
    closed: (timeoutMs = 30_000) =>
      until("the connection to close", () => isClosed && { received }, { timeoutMs, describe }).then((all) => all.received),
    get isClosed() {
      return isClosed;
    },
    get error() {
      return error;
    },
    [Symbol.dispose]: () => void socket.destroy(),
  };
}

function target(where: string): NetConnectOpts {
  if (where.startsWith("/")) return { path: where };
  const { hostname, port } = new URL(where);
  return { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port) };
}
