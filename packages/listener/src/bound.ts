import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import { formatEndpoint, type Endpoint } from "@tsserve/config";
import { listenError } from "./listen-error.ts";
import { backlog as defaultBacklog, makeListener, type Listener } from "./listener.ts";
import { listenAtPath } from "./listen-at-path.ts";
import { checkUnixPath } from "./unix-path.ts";
import { clearStaleSocket, type ListenChoices } from "./unix-socket.ts";

/**
 * The listeners of one endpoint; nothing is bound until they are used. A host name that stands for
 * several addresses, as `localhost` does, gives one listener each, so that neither an IPv4 nor an
 * IPv6 client is refused.
 *
 * @param choices who may connect to a unix socket, and how many may wait
 * @throws {ListenError} when the host name is not known, or the path is too long
 */
export async function boundListeners(endpoint: Endpoint, choices: ListenChoices = {}): Promise<Listener[]> {
  const { backlog = defaultBacklog, reusePort = false, ...access } = choices;
  if ("path" in endpoint) {
    const { path } = endpoint;
    checkUnixPath(path);
    const listener = makeListener(endpoint, false, () => clearStaleSocket(path).then(() => ({ path, backlog })));
    return [{ ...listener, listen: async (server) => void (await listenAtPath(server, path, { backlog, ...access })) }];
  }
  const addresses = await addressesOf(endpoint);
  return addresses.map((host) => {
    const options = { port: endpoint.port, backlog, ...(reusePort ? { reusePort } : {}), ...(host === "" ? {} : { host }) };
    return makeListener({ host, port: endpoint.port }, false, () => Promise.resolve(options));
  });
}

/**
 * The addresses to bind for a host and port.
 *
 * @throws {ListenError} when the host name is not known
 */
export async function addressesOf(endpoint: Extract<Endpoint, { host: string }>): Promise<string[]> {
  const addresses = await addressesOfHost(endpoint.host, formatEndpoint(endpoint));
  // The kernel chooses port 0's number for each socket anew: two addresses would get two ports.
  return endpoint.port === 0 ? addresses.slice(0, 1) : addresses;
}

async function addressesOfHost(host: string, place: string): Promise<string[]> {
  if (host === "" || isIP(host) !== 0) return [host];
  try {
    const { lookup } = process.getBuiltinModule("node:dns/promises");
    const found = await lookup(host, { all: true });
    const addresses = [...new Set(found.map(({ address }) => address))];
    return host === "localhost" ? addresses.filter(canBind).sort(ipv4First) : addresses;
  } catch (error) {
    throw listenError(error as Error, place);
  }
}

function ipv4First(a: string, b: string): number {
  return Number(a.includes(":")) - Number(b.includes(":"));
}

/** Machines without IPv6 often still name `::1` in /etc/hosts. */
function canBind(address: string): boolean {
  return !address.includes(":") || hasIpv6Loopback();
}

function hasIpv6Loopback(): boolean {
  return Object.values(networkInterfaces()).some((each) => each?.some(({ family }) => family === "IPv6") ?? false);
}
