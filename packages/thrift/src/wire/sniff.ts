import type { WireLimits } from "./limits.ts";
import { ProtocolError } from "./protocol-error.ts";
import type { ProtocolName } from "./types.ts";

/** How the next message of a connection is wrapped. Each message is looked at: clients may change. */
export type Sniffed =
  | { readonly form: "unframed"; readonly protocol: ProtocolName }
  | { readonly form: "framed"; readonly protocol: ProtocolName; readonly frameBytes: number }
  /** THeader: the protocol is in its header. */
  | { readonly form: "header"; readonly frameBytes: number };

/** What came is another protocol, well known by its first bytes. */
export class ForeignProtocolError extends ProtocolError {
  readonly protocol: "HTTP" | "a TLS handshake";

  constructor(protocol: "HTTP" | "a TLS handshake") {
    super(`expected Thrift, found ${protocol}`);
    this.protocol = protocol;
  }
}

/** A frame has at least a message's head. */
const shortestFrame = 4;

/**
 * Tells the form of a message by its first bytes: `80 01` strict binary and `82 x1` compact without a frame; else a
 * four-byte length, and within the frame the same, or `0F FF` for THeader.
 *
 * @returns `undefined` while there are too few bytes to tell (six at most)
 * @throws {ProtocolError} when it is none of these, or the frame is longer than the limit
 */
export function sniff(bytes: Buffer, start: number, end: number, limits: WireLimits): Sniffed | undefined {
  if (end - start < 2) return undefined;
  const first = bytes[start] as number;
  if (first >= 0x80) {
    const protocol = messageProtocol(first, bytes[start + 1] as number);
    if (protocol === undefined) throw unknownStart(bytes, start, end);
    return { form: "unframed", protocol };
  }
  if (end - start < 4) return undefined;
  const frameBytes = bytes.readUInt32BE(start);
  const foreign = foreignProtocol(bytes, start, end);
  if (foreign !== undefined) throw new ForeignProtocolError(foreign);
  if (frameBytes > limits.maxFrameBytes)
    throw new ProtocolError(`the frame of ${frameBytes} bytes is longer than max_frame_size (${limits.maxFrameBytes})`);
  if (frameBytes < shortestFrame) throw new ProtocolError(`a frame of ${frameBytes} bytes holds no message`);
  if (end - start < 6) return undefined;
  const [a, b] = [bytes[start + 4] as number, bytes[start + 5] as number];
  if (a === 0x0f && b === 0xff) return { form: "header", frameBytes };
  const protocol = messageProtocol(a, b);
  if (protocol === undefined) throw unknownStart(bytes, start + 4, end);
  return { form: "framed", protocol, frameBytes };
}

function messageProtocol(first: number, second: number): ProtocolName | undefined {
  if (first === 0x80 && second === 0x01) return "binary";
  return first === 0x82 && (second & 0x1f) === 1 ? "compact" : undefined;
}

/** As a frame's length, text is more than a gigabyte, and a TLS handshake more than the longest frame there may be. */
function foreignProtocol(bytes: Buffer, start: number, end: number): ForeignProtocolError["protocol"] | undefined {
  if (/^(?:GET |POST|HEAD|PUT |OPTI|DELE|PATC|CONN|TRAC|PRI )$/.test(bytes.toString("latin1", start, start + 4))) return "HTTP";
  return bytes[start] === 0x16 && bytes[start + 1] === 0x03 && end - start >= 3 && (bytes[start + 2] as number) <= 4
    ? "a TLS handshake"
    : undefined;
}

function unknownStart(bytes: Buffer, start: number, end: number): ProtocolError {
  const shown = bytes.subarray(start, Math.min(start + 4, end)).toString("hex");
  return new ProtocolError(`expected a strict binary (8001…) or compact (82…) message or a THeader (0fff…), found ${shown}`);
}
