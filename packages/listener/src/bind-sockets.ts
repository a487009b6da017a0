import { spawnSync } from "node:child_process";
import net, { isIPv6 } from "node:net";
import { getSystemErrorName } from "node:util";
import { formatEndpoint, type Endpoint } from "@tsserve/config";
import { addressesOf } from "./bound.ts";
import { listenError, ListenError } from "./listen-error.ts";
import { backlog } from "./listener.ts";
import { clearStaleSocket } from "./unix-socket.ts";

/** A listening socket on which nobody here accepts: to be inherited by workers. */
export interface BoundSocket {
  readonly fd: number;
  /** Where it really is: with the port that the kernel chose for 0. */
  readonly endpoint: Endpoint;
  /** Removes a unix socket's file, too. */
  close(): void;
}

/** What `node:net` has for `node:cluster`, on every version that is supported; `net.BoundSocket` came with Node 24. */
interface ServerHandle {
  readonly fd: number;
  close(): void;
  getsockname(out: { address?: string; port?: number }): number;
}
type CreateServerHandle = (address: string, port: number, type: 4 | 6 | -1) => ServerHandle | number;

/**
 * Binds sockets and makes them listen, so that clients wait in the kernel's queue while no worker is there to
 * accept them. A host name that stands for several addresses gives one socket each.
 *
 * @throws {ListenError} when a place is taken, forbidden or not of this machine
 */
export async function bindSockets(endpoints: readonly Endpoint[]): Promise<BoundSocket[]> {
  const bound: BoundSocket[] = [];
  try {
    for (const endpoint of endpoints) bound.push(...(await bindEndpoint(endpoint)));
    makeListen(bound);
    return bound;
  } catch (error) {
    for (const socket of bound) socket.close();
    throw error;
  }
}

async function bindEndpoint(endpoint: Endpoint): Promise<BoundSocket[]> {
  const place = formatEndpoint(endpoint);
  if ("path" in endpoint) {
    await clearStaleSocket(endpoint.path);
    const handle = create(endpoint.path, -1, -1, place);
    return [{ fd: handle.fd, endpoint, close: () => handle.close() }];
  }
  const addresses = await addressesOf(endpoint);
  return addresses.map((address) => bindAddress(address, endpoint.port, place));
}

function bindAddress(address: string, port: number, place: string): BoundSocket {
  const handle = address === "" ? createForAll(port, place) : create(address, port, isIPv6(address) ? 6 : 4, place);
  const name: { address?: string; port?: number } = {};
  // A port that somebody listens on is found out only here.
  const error = handle.getsockname(name);
  if (error !== 0) {
    handle.close();
    throw errorOf(error, place);
  }
  return { fd: handle.fd, endpoint: { host: address, port: name.port ?? port }, close: () => handle.close() };
}

/** All interfaces: IPv6's takes IPv4 along, where the machine has IPv6. */
function createForAll(port: number, place: string): ServerHandle {
  try {
    return create("::", port, 6, place);
  } catch (error) {
    if (!(error instanceof ListenError) || !["EAFNOSUPPORT", "EADDRNOTAVAIL", "EINVAL"].includes(error.code ?? "")) throw error;
    return create("0.0.0.0", port, 4, place);
  }
}

function create(address: string, port: number, type: 4 | 6 | -1, place: string): ServerHandle {
  const createServerHandle = (net as unknown as { _createServerHandle: CreateServerHandle })._createServerHandle;
  const handle = createServerHandle(address, port, type);
  if (typeof handle === "number") throw errorOf(handle, place);
  return handle;
}

function errorOf(number: number, place: string): Error {
  const code = getSystemErrorName(number);
  return listenError(Object.assign(new Error(`listen ${code}: ${place}`), { code }), place);
}

const listenTimeoutMs = 10_000;

/** A process that listens and ends, but never polls, accepts nothing: the sockets stay as it leaves them. */
function makeListen(sockets: readonly BoundSocket[]): void {
  const descriptors = sockets.map(({ fd }) => fd);
  const script = `for (let fd = 3; fd < ${3 + descriptors.length}; fd++) require("net").createServer().listen({ fd }, ${backlog}); process.exit(0)`;
  const { status, stderr } = spawnSync(process.execPath, ["-e", script], {
    stdio: ["ignore", "ignore", "pipe", ...descriptors],
    timeout: listenTimeoutMs,
    encoding: "utf8",
  });
  const places = sockets.map(({ endpoint }) => formatEndpoint(endpoint)).join(", ");
  if (status !== 0) throw new ListenError(`${places}: could not begin to listen: ${stderr.trim().split("\n").at(-1) ?? ""}`, "EUNKNOWN");
}
