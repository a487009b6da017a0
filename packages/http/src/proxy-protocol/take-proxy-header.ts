import type { Socket } from "node:net";
import { peek } from "../entrance/peek.ts";
import { parseProxyHeader, type ProxyVersions } from "./parse-proxy-header.ts";

export interface ProxyHeaderTaking {
  readonly versions: ProxyVersions;
  /** How long the header may take, in milliseconds. */
  readonly timeoutMs: number;
  /** Whether this peer may say who its client is. */
  isTrusted(peer: string | undefined): boolean;
  /** The header is gone; the socket has the client's address. */
  onTaken(): void;
  /** Why the connection is ended; `undefined` when it closed before it said anything, as a balancer's check does. */
  onRefused(reason: string | undefined): void;
}

/**
 * Takes the PROXY header from the beginning of a connection. It is required: where it were optional, any client could name
 * any address.
 */
export function takeProxyHeader(socket: Socket, { versions, timeoutMs, isTrusted, onTaken, onRefused }: ProxyHeaderTaking): void {
  if (!isTrusted(socket.remoteAddress)) {
    onRefused("the peer is not among real_ip_from");
    return;
  }
  let hasBegun = false;
  peek(socket, {
    timeoutMs,
    look: (bytes) => {
      hasBegun = true;
      const header = parseProxyHeader(bytes, versions);
      return header.kind === "incomplete" ? undefined : { found: header, consumed: header.kind === "complete" ? header.bytes : 0 };
    },
    onFound: (header) => {
      if (header.kind !== "complete") {
        onRefused(header.kind === "invalid" ? header.reason : undefined);
        return;
      }
      if (header.client !== undefined) setPeer(socket, header.client);
      onTaken();
    },
    onFailure: (failure) => onRefused(hasBegun || failure === "timeout" ? `its header is not whole (${failure})` : undefined),
  });
}

/** From now on, whoever asks the socket for its peer is told the client, for all requests of the connection. */
export function setPeer(socket: Socket, { address, port }: { readonly address: string; readonly port: number }): void {
  const family = address.includes(":") ? "IPv6" : "IPv4";
  for (const [name, value] of Object.entries({ remoteAddress: address, remotePort: port, remoteFamily: family }))
    Object.defineProperty(socket, name, { value, configurable: true, enumerable: true, writable: true });
}
