import type { Socket } from "node:net";
import type { Logger } from "pino";
import type { Connection } from "../connection.ts";
import type { Connections } from "../connections.ts";
import { protocolOf } from "../http2/preface.ts";
import { setPeer, takeProxyHeader } from "../proxy-protocol/take-proxy-header.ts";
import type { ProxyVersions } from "../proxy-protocol/parse-proxy-header.ts";
import type { TlsEntrance } from "../tls/tls-entrance.ts";
import type { TrustProxy } from "../trusted-proxies.ts";
import { peek } from "./peek.ts";

export interface EntranceParts {
  readonly connections: Connections;
  /** Which versions of the PROXY protocol each connection has to begin with; `undefined` for none. */
  readonly proxyVersions: ProxyVersions | undefined;
  readonly trusts: TrustProxy;
  readonly tls: TlsEntrance | undefined;
  /** Takes a connection that speaks HTTP/2; `undefined` where none may. */
  readonly serveHttp2: ((connection: Connection, socket: Socket) => void) | undefined;
  /** Called when a client takes too long over the first bytes that tell its protocol. */
  onSlow(connection: Connection): void;
  /** How long each part may take, in milliseconds. */
  readonly timeoutMs: number;
  readonly log: Logger;
  /** Called when a connection is refused: for its PROXY header, or the lack of one, or because its handshake failed. */
  onRefused(reason: "proxy_protocol" | "tls"): void;
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
    const { connections, tls, serveHttp2 } = this.#parts;
    const raw = connection.socket;
    connection.isEntering = true;
    const enterTls = (): void => {
      if (tls === undefined) {
        this.#choose(connection, raw, serve);
        return;
      }
      tls.accept(raw, {
        serve: (secured) => {
          if (Object.hasOwn(raw, "remoteAddress")) setPeer(secured, { address: raw.remoteAddress ?? "", port: raw.remotePort ?? 0 });
          connections.secured(connection, secured);
          connection.isEntering = false;
          if (serveHttp2 !== undefined && secured.alpnProtocol === "h2") serveHttp2(connection, secured);
          else serve(secured);
        },
        refused: () => this.#refused(connection, "tls"),
      });
    };
    if (this.#parts.proxyVersions === undefined) enterTls();
    else this.#takeProxyHeader(connection, this.#parts.proxyVersions, enterTls);
  }

  /** Without TLS, the first bytes tell the protocol. */
  #choose(connection: Connection, raw: Socket, serve: (socket: Socket) => void): void {
    const { serveHttp2, timeoutMs, onSlow } = this.#parts;
    if (serveHttp2 === undefined) {
      connection.isEntering = false;
      serve(raw);
      return;
    }
    let hasBegun = false;
    peek(raw, {
      timeoutMs,
      look: (bytes) => {
        hasBegun = true;
        const protocol = protocolOf(bytes);
        return protocol === undefined ? undefined : { found: protocol, consumed: 0 };
      },
      onFound: (protocol) => {
        connection.isEntering = false;
        if (protocol === "h2") serveHttp2(connection, raw);
        else serve(raw);
      },
      onFailure: (failure) => {
        // Browsers and balancers open connections to have them: nothing was asked.
        if (failure === "timeout" && hasBegun) onSlow(connection);
        else raw.destroy();
      },
    });
  }

  #refused(connection: Connection, reason: "proxy_protocol" | "tls"): void {
    connection.endReason ??= "rejected";
    this.#parts.onRefused(reason);
  }

  #takeProxyHeader(connection: Connection, versions: ProxyVersions, onTaken: () => void): void {
    const { trusts, timeoutMs, log } = this.#parts;
    const raw = connection.socket;
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
        this.#refused(connection, "proxy_protocol");
        log.debug({ peer, reason }, `refused a connection without a PROXY header: ${reason}`);
      },
    });
  }
}
