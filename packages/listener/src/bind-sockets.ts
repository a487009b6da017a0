import net, { isIPv6 } from "node:net";
import { getSystemErrorName } from "node:util";
import { formatEndpoint, isTsserveError, type Endpoint } from "@tsserve/config";
import { withAbstractLock } from "./abstract-lock.ts";
import { addressesOf } from "./bound.ts";
import { isWithoutIpv6, listenError } from "./listen-error.ts";
import { backlog as defaultBacklog } from "./listener.ts";
import { checkUnixPath } from "./unix-path.ts";
import { nameBeside, placeSocket, type ListenChoices, type PlacedSocket, type UnixSocketAccess } from "./unix-socket.ts";

/** A listening socket on which nobody here accepts: to be inherited by workers. */
export interface BoundSocket {
  readonly fd: number;
  /** What `ChildProcess#send` takes to give the socket to a process that runs already. */
  readonly handle: unknown;
  /** Where it really is: with the port that the kernel chose for 0. */
  readonly endpoint: Endpoint;
  /** Leaves it to those who have inherited it: it ends with the last of them. Nothing happens to what was inherited here. */
  release(): void;
  /** Removes a unix socket's file, too. */
  close(): void;
}

/** What `node:net` has for `node:cluster`, on every version that is supported; `net.BoundSocket` came with Node 24. */
interface ServerHandle {
  readonly fd: number;
  close(): void;
  getsockname(out: { address?: string; port?: number }): number;
}
type CreateServerHandle = (address: string | null, port: number, type: 4 | 6 | -1, fd: number, flags?: number) => ServerHandle | number;

/** libuv's `UV_TCP_REUSEPORT`: of what arrives, the kernel gives each socket of the port its share. Node heeds it from 22.12 on. */
const reusePort = 2;

/**
 * Binds sockets and makes them listen, so that clients wait in the kernel's queue while no worker is there to
 * accept them. A host name that stands for several addresses gives one socket each.
 *
 * @param sharesPort whether `bindBeside` may find more sockets for the same ports; nobody else can take them, either way
 * @param choices who may connect to the unix sockets among them, how many may wait, who else may have the port
 * @throws {ListenError} when a place is taken, forbidden or not of this machine, or a path too long
 */
export async function bindSockets(endpoints: readonly Endpoint[], sharesPort = false, choices: ListenChoices = {}): Promise<BoundSocket[]> {
  const ports = new Set(endpoints.flatMap((endpoint) => ("path" in endpoint || endpoint.port === 0 ? [] : [endpoint.port])));
  const locked = [...ports]
    .sort((a, b) => b - a)
    .reduce(
      (work, port) => () => withAbstractLock(`port:${port}`, work),
      () => bindAll(endpoints, sharesPort, choices),
    );
  return locked();
}

/** Two masters at once would both find that nobody listens: they look and bind one after the other. */
async function bindAll(endpoints: readonly Endpoint[], sharesPort: boolean, choices: ListenChoices): Promise<BoundSocket[]> {
  const bound: (BoundSocket & { place?(): Promise<void> })[] = [];
  try {
    for (const endpoint of endpoints) {
      if ("path" in endpoint) bound.push(bindPath(endpoint.path, choices));
      else bound.push(...(await bindAddresses(endpoint, sharesPort, choices.reusePort === true)));
    }
    makeListen(bound, choices.backlog);
    for (const socket of bound) await socket.place?.();
    return bound;
  } catch (error) {
    for (const socket of bound) socket.close();
    throw error;
  }
}

/**
 * More listening sockets for the addresses and ports of those that were bound to share them, so many for each. A unix
 * socket can't be shared so, and stands for itself.
 *
 * @throws {ListenError} where the kernel or this version of Node can't do it
 */
export function bindBeside(sockets: readonly BoundSocket[], times: number, choices: ListenChoices = {}): BoundSocket[][] {
  const bound: BoundSocket[] = [];
  const bindOne = (socket: BoundSocket): BoundSocket => {
    const { endpoint } = socket;
    if ("path" in endpoint) return socket;
    const more = bindAddress(endpoint.host, endpoint.port, formatEndpoint(endpoint), reusePort);
    bound.push(more);
    return more;
  };
  try {
    const beside = Array.from({ length: times }, () => sockets.map(bindOne));
    if (bound.length > 0) makeListen(bound, choices.backlog);
    return beside;
  } catch (error) {
    for (const socket of bound) socket.close();
    throw error;
  }
}

/** It gets its name when it listens (`place`). */
function bindPath(path: string, access: UnixSocketAccess): BoundSocket & { place(): Promise<void> } {
  checkUnixPath(path);
  const temporary = nameBeside(path);
  const handle = create(temporary, -1, -1, path);
  let placed: PlacedSocket | undefined;
  return {
    fd: handle.fd,
    handle,
    endpoint: { path },
    place: async () => {
      placed = await placeSocket(temporary, path, access);
    },
    release: () => handle.close(),
    close: () => {
      handle.close();
      placed?.remove();
    },
  };
}

async function bindAddresses(
  endpoint: Extract<Endpoint, { host: string }>,
  sharesPort: boolean,
  isShared: boolean,
): Promise<BoundSocket[]> {
  const place = formatEndpoint(endpoint);
  const addresses = await addressesOf(endpoint);
  return addresses.map((address) => {
    // Others are allowed to have it as well: there is nobody to look for.
    if (isShared) return bindAddress(address, endpoint.port, place, reusePort);
    // A socket that shares its port would not notice that another server has it.
    const alone = bindAddress(address, endpoint.port, place);
    return sharesPort ? bindAgain(alone, place) : alone;
  });
}

function bindAgain(alone: BoundSocket, place: string): BoundSocket {
  const { host, port } = alone.endpoint as Extract<Endpoint, { host: string }>;
  alone.close();
  try {
    return bindAddress(host, port, place, reusePort);
  } catch {
    return bindAddress(host, port, place);
  }
}

function bindAddress(address: string, port: number, place: string, flags = 0): BoundSocket {
  const handle = address === "" ? createForAll(port, place, flags) : create(address, port, isIPv6(address) ? 6 : 4, place, flags);
  const name: { address?: string; port?: number } = {};
  // A port that somebody listens on is found out only here.
  const error = handle.getsockname(name);
  if (error !== 0) {
    handle.close();
    throw errorOf(error, place);
  }
  const close = (): void => handle.close();
  return { fd: handle.fd, handle, endpoint: { host: address, port: name.port ?? port }, release: close, close };
}

/** All interfaces: IPv6's takes IPv4 along, where the machine has IPv6. */
function createForAll(port: number, place: string, flags: number): ServerHandle {
  try {
    return create("::", port, 6, place, flags);
  } catch (error) {
    if (!isTsserveError(error, "ERR_TSSERVE_LISTEN") || !isWithoutIpv6(error.systemCode)) throw error;
    return create("0.0.0.0", port, 4, place, flags);
  }
}

function create(address: string, port: number, type: 4 | 6 | -1, place: string, flags = 0): ServerHandle {
  return handleOf(place, address, port, type, -1, flags);
}

/** @throws {ListenError} with the place */
function handleOf(place: string, ...of: Parameters<CreateServerHandle>): ServerHandle {
  const handle = (net as unknown as { _createServerHandle: CreateServerHandle })._createServerHandle(...of);
  if (typeof handle === "number") throw errorOf(handle, place);
  return handle;
}

function errorOf(number: number, place: string): Error {
  const code = getSystemErrorName(number);
  return listenError(Object.assign(new Error(`listen ${code}: ${place}`), { code }), place);
}

/**
 * What `ChildProcess#send` takes to give an inherited socket to a process that runs already.
 *
 * @throws {ListenError} when it is no socket
 */
export function handleOfInherited(fd: number): unknown {
  return handleOf(`fd://${fd}`, null, -1, -1, fd);
}

const listenTimeoutMs = 10_000;

/** A process that listens and ends, but never polls, accepts nothing: the sockets stay as it leaves them. */
function makeListen(sockets: readonly BoundSocket[], backlog: number = defaultBacklog): void {
  const descriptors = sockets.map(({ fd }) => fd);
  const script = `for (let fd = 3; fd < ${3 + descriptors.length}; fd++) require("net").createServer().listen({ fd }, ${backlog}); process.exit(0)`;
  // Loading it takes every start a millisecond, and only a master comes by here.
  const { spawnSync } = process.getBuiltinModule("node:child_process");
  const { status, stderr, error } = spawnSync(process.execPath, ["-e", script], {
    // What is set for all that is Node may take a script for something else (--input-type), or run before it.
    env: { ...process.env, NODE_OPTIONS: undefined },
    stdio: ["ignore", "ignore", "pipe", ...descriptors],
    timeout: listenTimeoutMs,
    encoding: "utf8",
  });
  if (status === 0) return;
  const places = sockets.map(({ endpoint }) => formatEndpoint(endpoint)).join(", ");
  // No process was started, for want of descriptors, or because this Node's file has gone: then there is no text of it, either.
  if (error !== undefined) throw listenError(error, places);
  const [message, code = "EUNKNOWN"] = /^Error: listen (E[A-Z]+)\b.*$/m.exec(stderr) ?? [stderr.trim().split("\n").at(-1) ?? ""];
  throw listenError(Object.assign(new Error(`could not begin to listen: ${message}`), { code }), places);
}
