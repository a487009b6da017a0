import type { Socket } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";
import { peek } from "../entrance/peek.ts";
import { contextFor, type Certificates } from "./certificates.ts";
import { handshakeFailure, type HandshakeFailure } from "./handshake-failure.ts";
import type { TlsSettings } from "./tls-settings.ts";

export interface SecureEntranceParts {
  readonly settings: TlsSettings;
  readonly certificates: Certificates;
  /** 48 bytes that all workers share, so that a session begun with one is resumed by another; without them, each has its own. */
  readonly ticketKeys: Buffer | undefined;
  /** How long a handshake may take, in milliseconds. */
  readonly handshakeTimeoutMs: number;
  /** What is offered beside, in the order of preference: `h2`, `http/1.1`. */
  readonly protocols: readonly string[];
  /** The handshake on the raw socket is over. */
  onSecure(raw: Socket, socket: TLSSocket): void;
  /** @param peer the address of who failed */
  onFailure(failure: HandshakeFailure, peer: string | undefined, raw: Socket): void;
}

const handshakeByte = 0x16;
const plainHttpAnswer = ((): string => {
  const sentence = "This port speaks HTTPS, and a plain HTTP request was sent to it.\n";
  return [
    "HTTP/1.1 400 Bad Request",
    "Connection: close",
    "Content-Type: text/plain; charset=utf-8",
    `Content-Length: ${sentence.length}`,
    "",
    sentence,
  ].join("\r\n");
})();

/**
 * Where connections become secure: raw sockets come in, those that made their handshake go out. It does not listen. Its
 * certificates may be exchanged while it works: handshakes begun before keep the old ones.
 */
export class SecureEntrance {
  readonly #server: Server;
  readonly #parts: SecureEntranceParts;
  readonly #ticketKeys: Buffer;
  /** Connections whose clients may end their side, and still get what they asked for. */
  readonly #halfOpen = new WeakSet<Socket>();
  #certificates: Certificates;

  constructor(parts: SecureEntranceParts) {
    const { settings, certificates, ticketKeys, handshakeTimeoutMs, protocols } = parts;
    this.#parts = parts;
    this.#certificates = certificates;
    this.#server = createServer(
      {
        ...certificates.options,
        ...(ticketKeys === undefined ? {} : { ticketKeys }),
        handshakeTimeout: handshakeTimeoutMs,
        ALPNProtocols: [...protocols],
        requestCert: settings.clientCertificates !== "none",
        rejectUnauthorized: settings.clientCertificates === "require",
        SNICallback: (host, done) => done(null, contextFor(host, this.#certificates.byHost)),
      },
      (socket) => {
        const raw = rawOf(socket);
        socket.allowHalfOpen = this.#halfOpen.has(raw);
        parts.onSecure(raw, socket);
      },
    );
    this.#ticketKeys = ticketKeys ?? this.#server.getTicketKeys();
    this.#server.on("tlsClientError", (error, socket) => {
      const raw = rawOf(socket);
      parts.onFailure(handshakeFailure(error, socket.authorizationError), raw.remoteAddress, raw);
      socket.destroy();
    });
  }

  /** Makes the handshake on a connection that was just accepted. Who speaks plain HTTP is told so. */
  accept(raw: Socket): void {
    peek(raw, {
      timeoutMs: this.#parts.handshakeTimeoutMs,
      look: (bytes) => ({ found: bytes[0] === handshakeByte, consumed: 0 }),
      onFound: (isHandshake) => {
        if (isHandshake) {
          // Whoever ends its side before the handshake is over will never finish it, and is not waited for until its time is up.
          if (raw.allowHalfOpen) this.#halfOpen.add(raw);
          raw.allowHalfOpen = false;
          this.#server.emit("connection", raw);
          return;
        }
        this.#parts.onFailure("plain_http", raw.remoteAddress, raw);
        raw.on("error", () => undefined);
        raw.end(plainHttpAnswer, () => raw.destroy());
      },
      onFailure: (failure) => {
        if (failure === "timeout") this.#parts.onFailure("timeout", raw.remoteAddress, raw);
        raw.destroy();
      },
    });
  }

  /** New handshakes get these certificates; sessions that began with the old ones can still be resumed. */
  exchange(certificates: Certificates): void {
    this.#server.setSecureContext({ ...certificates.options, ticketKeys: this.#ticketKeys });
    this.#certificates = certificates;
  }
}

/**
 * The socket that a secured one stands on: `_parent` of `TLSSocket`
 * (github.com/nodejs/node/blob/main/lib/_tls_wrap.js), which Node sets in its constructor.
 */
function rawOf(socket: TLSSocket): Socket {
  return (socket as TLSSocket & { readonly _parent?: Socket })._parent ?? socket;
}
