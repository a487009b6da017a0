import { BlockList, isIP, isIPv6 } from "node:net";
import type { Parser } from "@tsserve/config";

const namedNetworks: Readonly<Record<string, readonly string[]>> = {
  loopback: ["127.0.0.0/8", "::1/128"],
  linklocal: ["169.254.0.0/16", "fe80::/10"],
  uniquelocal: ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"],
};

/** What `real_ip_from` may list. */
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
    // `::ffff:10.0.0.1` is 10.0.0.1, on a socket that takes both families.
    const plain = /^::ffff:\d+\./i.test(address) ? address.slice(7) : address;
    return isIP(plain) !== 0 && list.check(plain, isIPv6(plain) ? "ipv6" : "ipv4");
  };
}
