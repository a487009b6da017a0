import type { IncomingMessage } from "node:http";
import { isLoopbackAddress, isLoopbackHost } from "@tsserve/config";

/** What a proxy adds: who asks is somebody else, then. */
const forwarding = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"];

/**
 * Whether a request comes from this machine and asked for it by a name or an address of the loopback. The name is looked at
 * because a page of the web can point a name of its own to 127.0.0.1 and read what answers there (DNS rebinding).
 *
 * @returns why not
 */
export function reasonNotLocal({
  socket,
  headers,
  rawHeaders,
}: Pick<IncomingMessage, "socket" | "headers" | "rawHeaders">): string | undefined {
  // Of a unix socket there is no address.
  const { remoteAddress } = socket;
  if (remoteAddress !== undefined && !isLoopbackAddress(remoteAddress)) return "the request comes from another machine";
  if (forwarding.some((name) => headers[name] !== undefined)) return "the request was forwarded by a proxy";
  const hosts = rawHeaders.filter((name, n) => n % 2 === 0 && name.toLowerCase() === "host").length;
  if (hosts !== 1 || !isLoopbackHost(headers.host ?? "")) return "the request asked for another name than localhost";
  return undefined;
}
