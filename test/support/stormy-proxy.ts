import { once } from "node:events";
import { connect as connectTo, createServer, type AddressInfo, type Socket } from "node:net";

/** A way to a broker that can be cut. */
export interface StormyProxy extends AsyncDisposable {
  readonly port: number;
  /** Cuts every connection, as a network does. */
  cut(): void;
}

export async function stormyProxy(upstream: number): Promise<StormyProxy> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const peer = connectTo(upstream, "127.0.0.1");
    for (const socket of [client, peer]) {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        sockets.delete(socket);
        client.destroy();
        peer.destroy();
      });
    }
    client.pipe(peer).pipe(client);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = (): void => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    [Symbol.asyncDispose]: async () => {
      cut();
      server.close();
      await once(server, "close");
    },
  };
}
