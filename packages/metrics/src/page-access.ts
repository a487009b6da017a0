import type { IncomingMessage } from "node:http";

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

/** 127.0.0.0/8, ::1, and both as an IPv6 socket shows IPv4's. */
export function isLoopbackAddress(address: string): boolean {
  const plain = address.toLowerCase().replace(/%.*$/, "");
  if (plain === "::1" || plain === "0:0:0:0:0:0:0:1") return true;
  const mapped = /^::ffff:(?:([\d.]+)|([0-9a-f]{1,4}):[0-9a-f]{1,4})$/.exec(plain);
  if (mapped?.[2] !== undefined) return mapped[2].padStart(4, "0").startsWith("7f");
  const match = /^127\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(mapped?.[1] ?? plain);
  return match !== null && match.slice(1).every((part) => Number(part) <= 255);
}

/** `localhost`, names below it, and addresses of the loopback, with a port or without. */
export function isLoopbackHost(host: string): boolean {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::\d{1,5})?$/.exec(host.trim().toLowerCase());
  if (match === null) return false;
  const [, address, name] = match;
  if (address !== undefined) return isLoopbackAddress(address);
  const plain = (name as string).replace(/\.$/, "");
  return plain === "localhost" || /^[a-z0-9.-]+\.localhost$/.test(plain) || isLoopbackAddress(plain);
}
