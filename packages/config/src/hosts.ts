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

/** Whether a server that listens at this host, a name or an address as an endpoint has it, is reached from its own machine alone. */
export function isLocalHost(host: string): boolean {
  return isLoopbackHost(host.includes(":") ? `[${host}]` : host);
}

/** Whether it listens on all interfaces: an empty host, `0.0.0.0`, `::`, and what the two are written as otherwise. */
export function isEveryHost(host: string): boolean {
  return host === "" || /^0+(?:\.0+){0,3}$/.test(host) || (host.includes(":") && /^[0:]*(?:0\.0\.0\.0)?$/.test(host));
}
