import type { IncomingMessage } from "node:http";
import { BlockList, isIP, isIPv6 } from "node:net";
import type { Parser } from "@tsserve/config";

const namedNetworks: Readonly<Record<string, readonly string[]>> = {
  loopback: ["127.0.0.0/8", "::1/128"],
  linklocal: ["169.254.0.0/16", "fe80::/10"],
  uniquelocal: ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"],
};

/** What `trust_proxy` may list. */
export const proxyPattern: Parser<string> = (text) => {
  const [address = "", bits, ...rest] = text.split("/");
  const known = text === "unix" || Object.hasOwn(namedNetworks, text);
  const width = isIPv6(address) ? 128 : 32;
  const goodBits = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= width);
  if (known || (isIP(address) !== 0 && goodBits && rest.length === 0)) return text;
  throw new Error(`expected addresses, networks such as 10.0.0.0/8, or ${Object.keys(namedNetworks).join(", ")}, unix; "${text}" is none`);
};

/** Whether the peer with this address (`undefined` on a unix socket) is a proxy whose word is believed. */
export type TrustProxy = (address: string | undefined) => boolean;

export function trustedProxies(patterns: readonly string[]): TrustProxy {
  const list = new BlockList();
  for (const pattern of patterns.flatMap((each) => namedNetworks[each] ?? [each])) {
    if (pattern === "unix") continue;
    const [address = "", bits] = pattern.split("/");
    const family = isIPv6(address) ? "ipv6" : "ipv4";
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  const trustsUnix = patterns.includes("unix");
  return (address) => {
    if (address === undefined) return trustsUnix;
    const plain = withoutMapping(address);
    return isIP(plain) !== 0 && list.check(plain, isIPv6(plain) ? "ipv6" : "ipv4");
  };
}

/**
 * The client that a request comes from: the peer, or where that is a trusted proxy, the last address
 * of `X-Forwarded-For` that is not one. What stands further left was written by the client itself.
 */
export function clientAddress(request: IncomingMessage, trusts: TrustProxy): string | undefined {
  let address = request.socket.remoteAddress;
  const header = request.headers["x-forwarded-for"];
  if (header === undefined) return address;
  const hops = (Array.isArray(header) ? header.join(",") : header).split(",");
  while (trusts(address)) {
    const hop = withoutPort(hops.pop()?.trim() ?? "");
    if (isIP(hop) === 0) break;
    address = hop;
  }
  return address;
}

function withoutPort(text: string): string {
  return /^\[([^\]]+)\](?::\d+)?$/.exec(text)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(text)?.[1] ?? text;
}

/** `::ffff:10.0.0.1` is 10.0.0.1 on a socket that takes both families. */
function withoutMapping(address: string): string {
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address;
}
