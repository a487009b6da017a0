import net from "node:net";

interface ServerHandle {
  readonly fd: number;
  close(): void;
  getsockname(out: { port?: number }): number;
}

export interface BoundDescriptor extends Disposable {
  readonly fd: number;
  readonly port: number;
}

/**
 * A TCP socket on 127.0.0.1 that is bound, and on which nobody here accepts: to be inherited, as from a
 * master. Uses what node:cluster itself uses, `net._createServerHandle`.
 */
export function bindDescriptor(port = 0): BoundDescriptor {
  const create = (net as unknown as { _createServerHandle(host: string, port: number, family: 4): ServerHandle | number })
    ._createServerHandle;
  const handle = create("127.0.0.1", port, 4);
  if (typeof handle === "number") throw new Error(`cannot bind 127.0.0.1:${port}: error ${handle}`);
  const name: { port?: number } = {};
  handle.getsockname(name);
  return { fd: handle.fd, port: name.port ?? port, [Symbol.dispose]: () => handle.close() };
}

/** What tells a child that it is a worker of this process, with its first socket as descriptor 3. */
export function workerEnvironment(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  return { EINHORN_MASTER_PID: String(process.pid), EINHORN_FD_COUNT: "1", EINHORN_FD_0: "3", ...extra };
}
