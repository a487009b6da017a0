import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

export interface RoundRobin extends AsyncDisposable {
  readonly port: number;
  /** New connections go to these, in turn. */
  upstreams: readonly number[];
}

/** A balancer of connections, as a service of Kubernetes' is: it knows nothing of requests, and moves no connection. */
export async function roundRobin(upstreams: readonly number[]): Promise<RoundRobin> {
  const open = new Set<Socket>();
  let turn = 0;
  const balancer = { upstreams } as { upstreams: readonly number[] };
  const server = createServer((client) => {
    const upstream = connect(balancer.upstreams[turn++ % balancer.upstreams.length] as number, "127.0.0.1");
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      open.add(from);
      from.on("error", () => to.destroy());
      from.on("close", () => open.delete(from));
      from.pipe(to);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return Object.assign(balancer, {
    port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, "close");
    },
  });
}
