import { isIPv4, isIPv6 } from "node:net";

/** Which versions of the PROXY protocol a listener takes. */
export interface ProxyVersions {
  readonly v1: boolean;
  readonly v2: boolean;
}

/** What the first bytes of a connection say. */
export type ProxyHeader =
  /** They may become a header: more are needed. */
  | { readonly kind: "incomplete" }
  /** They are none, and no more bytes will change that. */
  | { readonly kind: "invalid"; readonly reason: string }
  | {
      readonly kind: "complete";
      /** How many bytes the header takes: what follows is the client's. */
      readonly bytes: number;
      /** The client that the proxy names; `undefined` where the proxy speaks for itself (a health check) or does not know. */
      readonly client: { readonly address: string; readonly port: number } | undefined;
    };

/** From the specification: the longest header of version 1, its line ending included. */
const longestTextBytes = 107;
/**
 * The longest header of version 2 that is read. The specification recommends receivers to take 536 bytes, which is more than
 * the addresses (16 + 216) and what known proxies add.
 */
const longestBinaryBytes = 536;

const signature = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]);
const textStart = Buffer.from("PROXY ");
const fixedBytes = 16;

const incomplete: ProxyHeader = { kind: "incomplete" };

/**
 * Reads a header of the PROXY protocol, as haproxy's `doc/proxy-protocol.txt` (sections 2.1 and 2.2) defines it, from the
 * first bytes of a connection. Reads no byte beyond the header.
 */
export function parseProxyHeader(bytes: Buffer, versions: ProxyVersions): ProxyHeader {
  if (bytes.length === 0) return incomplete;
  if (versions.v2 && startsLike(bytes, signature)) return bytes.length < fixedBytes ? incomplete : parseBinary(bytes);
  if (versions.v1 && startsLike(bytes, textStart)) return parseText(bytes);
  return invalid("it does not begin with a PROXY header");
}

/** Whether the bytes that there are agree with the beginning. */
function startsLike(bytes: Buffer, beginning: Buffer): boolean {
  const length = Math.min(bytes.length, beginning.length);
  return bytes.compare(beginning, 0, length, 0, length) === 0;
}

function invalid(reason: string): ProxyHeader {
  return { kind: "invalid", reason };
}

function parseText(bytes: Buffer): ProxyHeader {
  const end = bytes.subarray(0, longestTextBytes).indexOf("\r\n");
  if (end === -1) return bytes.length >= longestTextBytes ? invalid(`its line is longer than ${longestTextBytes} bytes`) : incomplete;
  const line = bytes.toString("latin1", 0, end);
  const consumed = end + 2;
  if (/^PROXY UNKNOWN(?: .*)?$/.test(line)) return { kind: "complete", bytes: consumed, client: undefined };
  const [, family, source = "", destination = "", sourcePort = "", destinationPort = ""] =
    /^PROXY TCP([46]) ([0-9A-Fa-f.:]+) ([0-9A-Fa-f.:]+) (\d{1,5}) (\d{1,5})$/.exec(line) ?? [];
  if (family === undefined) return invalid("its line is malformed");
  const isAddress = family === "4" ? isIPv4 : isIPv6;
  if (!isAddress(source) || !isAddress(destination)) return invalid("an address of it is malformed");
  if (!isPort(sourcePort) || !isPort(destinationPort)) return invalid("a port of it is malformed");
  return { kind: "complete", bytes: consumed, client: { address: source, port: Number(sourcePort) } };
}

function isPort(digits: string): boolean {
  return /^(?:0|[1-9]\d*)$/.test(digits) && Number(digits) <= 65_535;
}

/** Bytes that the two addresses and ports of a family take, by the family's number: IPv4, IPv6, unix. */
const addressBytes: Readonly<Record<number, number>> = { 1: 12, 2: 36, 3: 216 };

function parseBinary(bytes: Buffer): ProxyHeader {
  const version = bytes.readUInt8(12) >> 4;
  const command = bytes.readUInt8(12) & 0xf;
  const family = bytes.readUInt8(13) >> 4;
  const transport = bytes.readUInt8(13) & 0xf;
  const length = bytes.readUInt16BE(14);
  if (version !== 2) return invalid(`its version is ${version}`);
  if (command > 1) return invalid(`its command is ${command}`);
  if (family > 3 || transport > 2) return invalid("its address family is unknown");
  const total = fixedBytes + length;
  if (total > longestBinaryBytes) return invalid(`it is longer than ${longestBinaryBytes} bytes`);
  // Of LOCAL, whatever follows is skipped; so are the additions (TLV) behind the addresses.
  const needed = command === 0 ? 0 : (addressBytes[family] ?? 0);
  if (length < needed) return invalid("it is shorter than its addresses");
  if (bytes.length < total) return incomplete;
  const client = command === 0 ? undefined : clientOf(bytes, family);
  return { kind: "complete", bytes: total, client };
}

function clientOf(bytes: Buffer, family: number): { address: string; port: number } | undefined {
  if (family === 1) return { address: [...bytes.subarray(16, 20)].join("."), port: bytes.readUInt16BE(24) };
  if (family === 2) return { address: textOfIPv6(bytes.subarray(16, 32)), port: bytes.readUInt16BE(48) };
  return undefined;
}

/** In the form that Node gives addresses of sockets: the longest run of zeros left out, IPv4 inside IPv6 with dots. */
function textOfIPv6(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16));
  return new URL(`http://[${groups.join(":")}]/`).hostname.slice(1, -1).replace(/^::ffff:([0-9a-f]+):([0-9a-f]+)$/, () => {
    return `::ffff:${[...bytes.subarray(12)].join(".")}`;
  });
}
