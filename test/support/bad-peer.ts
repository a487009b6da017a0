import { once } from "node:events";
import { connect as connectTo, createServer, type Server, type Socket } from "node:net";

/** Accepts on a port as a broker does, and is none. */
export interface BadPeer extends AsyncDisposable {
  /** How many it has accepted. */
  readonly connections: number;
  becomeProxy(port: number): Promise<void>;
  becomeBad(): Promise<void>;
}

/** Accepts on a port, and says nothing, or resets after the first bytes; until it is a proxy for a broker. */
export async function badPeer(port: number, kind: "silent" | "resetting"): Promise<BadPeer> {
  let target: number | undefined;
  let connections = 0;
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
    if (target !== undefined) {
      const upstream = connectTo(target, "127.0.0.1");
      upstream.on("error", () => socket.destroy());
      upstream.on("close", () => socket.destroy());
      socket.on("close", () => upstream.destroy());
      socket.pipe(upstream).pipe(socket);
    } else if (kind === "resetting") socket.once("data", () => socket.resetAndDestroy());
    else socket.resume();
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const end = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    get connections() {
      return connections;
    },
    becomeProxy: async (to) => {
      target = to;
      end();
    },
    becomeBad: async () => {
      target = undefined;
      end();
    },
    [Symbol.asyncDispose]: async () => {
      end();
      server.close();
      await once(server, "close");
    },
  };
}
