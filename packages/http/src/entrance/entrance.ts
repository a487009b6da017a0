import type { Socket } from "node:net";
import type { Logger } from "pino";
import type { Connection } from "../connection.ts";
import type { Connections } from "../connections.ts";
import { setPeer, takeProxyHeader } from "../proxy-protocol/take-proxy-header.ts";
import type { ProxyVersions } from "../proxy-protocol/parse-proxy-header.ts";
import type { TlsEntrance } from "../tls/tls-entrance.ts";
import type { TrustProxy } from "../trusted-proxies.ts";

export interface EntranceParts {
  readonly connections: Connections;
  /** Which versions of the PROXY protocol each connection has to begin with; `undefined` for none. */
  readonly proxyVersions: ProxyVersions | undefined;
  readonly trusts: TrustProxy;
  readonly tls: TlsEntrance | undefined;
  /** How long each part may take, in milliseconds. */
  readonly timeoutMs: number;
  readonly log: Logger;
  /** Called when a connection is refused for its PROXY header, or for the lack of one. */
  onProxyRefused(): void;
}

/** At most so long a PROXY header may take: whoever sends one sends it at once. */
const proxyHeaderMs = 3000;

/** What a connection passes before its first request is read: the PROXY header of a balancer, and the handshake of TLS. */
export class Entrance {
  readonly #parts: EntranceParts;

  constructor(parts: EntranceParts) {
    this.#parts = parts;
  }

  /** @param serve is called with the socket that requests are read from, unless the connection is refused */
  enter(connection: Connection, serve: (socket: Socket) => void): void {
    const { connections, tls } = this.#parts;
    const raw = connection.socket;
    connection.isEntering = true;
    const enterTls = (): void => {
      if (tls === undefined) {
        connection.isEntering = false;
        serve(raw);
        return;
      }
      tls.accept(raw, (secured) => {
        if (Object.hasOwn(raw, "remoteAddress")) setPeer(secured, { address: raw.remoteAddress ?? "", port: raw.remotePort ?? 0 });
        connections.secured(connection, secured);
        connection.isEntering = false;
        serve(secured);
      });
    };
    if (this.#parts.proxyVersions === undefined) enterTls();
    else this.#takeProxyHeader(raw, this.#parts.proxyVersions, enterTls);
  }

  #takeProxyHeader(raw: Socket, versions: ProxyVersions, onTaken: () => void): void {
    const { trusts, timeoutMs, log, onProxyRefused } = this.#parts;
    const peer = raw.remoteAddress;
    takeProxyHeader(raw, {
      versions,
      timeoutMs: Math.min(proxyHeaderMs, timeoutMs),
      isTrusted: trusts,
      onTaken,
      onRefused: (reason) => {
        raw.destroy();
        // A balancer's check connects and goes.
        if (reason === undefined) return;
        onProxyRefused();
        log.debug({ peer, reason }, `refused a connection without a PROXY header: ${reason}`);
      },
    });
  }
}
