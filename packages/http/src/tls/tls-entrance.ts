import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { ConfigurationError } from "@tsserve/config";
import type { Meter, MeterCounter } from "@tsserve/server";
import type { Logger } from "pino";
import { endNotice, nextLookMs } from "./certificate-ends.ts";
import { CertificateFileError } from "./certificate-files.ts";
import { readCertificates, type Certificates } from "./certificates.ts";
import type { HandshakeFailure } from "./handshake-failure.ts";
import { SecureEntrance } from "./secure-entrance.ts";
import type { TlsSettings } from "./tls-settings.ts";
import { certificateFiles, watchCertificates } from "./watch-certificates.ts";

export interface TlsEntranceParts {
  readonly settings: TlsSettings;
  readonly ticketKeys: Buffer | undefined;
  readonly handshakeTimeoutMs: number;
  readonly protocols: readonly string[];
  readonly log: Logger;
  readonly meter: Meter | undefined;
}

const notAfter = {
  name: "tls_certificate_not_after_seconds",
  help: "When a certificate ends to be valid, in seconds since 1970.",
  type: "gauge",
  aggregator: "min",
} as const;
const failures = { name: "tls_handshake_failures_total", help: "Handshakes that failed, by the reason.", type: "counter" } as const;

/** What becomes of a connection whose handshake is made. */
export interface Entering {
  /** Called with the secured socket when the handshake is over; never where it fails. */
  serve(socket: TLSSocket): void;
  /** Called when it fails, unless the client went away by itself. */
  refused(): void;
}

/** TLS for a server: its certificates, read anew when their files change, what is counted of them, and the handshakes. */
export class TlsEntrance {
  readonly #parts: TlsEntranceParts;
  readonly #secure: SecureEntrance;
  readonly #entering = new WeakMap<Socket, Entering>();
  readonly #failures = new Map<HandshakeFailure, MeterCounter>();
  #certificates: Certificates;
  /** What was refused last, so that it is told once. */
  #refused = "";
  #endWatch: (() => void) | undefined;
  #warning: NodeJS.Timeout | undefined;

  /** @throws {ConfigurationError} when a file can't be used */
  constructor(parts: TlsEntranceParts) {
    this.#parts = parts;
    this.#certificates = certificatesOf(parts.settings);
    this.#secure = new SecureEntrance({
      settings: parts.settings,
      certificates: this.#certificates,
      ticketKeys: parts.ticketKeys,
      handshakeTimeoutMs: parts.handshakeTimeoutMs,
      protocols: parts.protocols,
      onSecure: (raw, socket) => this.#entering.get(raw)?.serve(socket),
      onFailure: (failure, peer, raw) => this.#failed(failure, peer, raw),
    });
  }

  /** From now on the files are watched. */
  open(): void {
    this.#tellEnds();
    this.#endWatch = watchCertificates(certificateFiles(this.#parts.settings), () => this.#reread());
  }

  close(): void {
    clearTimeout(this.#warning);
    this.#endWatch?.();
  }

  accept(raw: Socket, entering: Entering): void {
    this.#entering.set(raw, entering);
    this.#secure.accept(raw);
  }

  #reread(): void {
    const { settings, log } = this.#parts;
    let certificates: Certificates;
    try {
      certificates = readCertificates(settings);
    } catch (error) {
      // The name of the setting says which file it is where its path is hidden, as that of a variable called `TLS_KEY` is.
      const setting = error instanceof CertificateFileError ? `${keyOf(settings, error.path)}: ` : "";
      const message = `${setting}${(error as Error).message}`;
      if (message !== this.#refused) log.error({ reason: message }, `a certificate can't be used, the old one stays: ${message}`);
      this.#refused = message;
      return;
    }
    this.#refused = "";
    if (certificates.fingerprint === this.#certificates.fingerprint) return;
    this.#certificates = certificates;
    this.#secure.exchange(certificates);
    const serials = [...certificates.pairs].map(([name, { serialNumber }]) => `${name} ${serialNumber}`);
    log.info({ certificates: serials }, `new certificates are served: ${serials.join(", ")}`);
    this.#tellEnds();
  }

  /** Now, each day, and when one has come to its end. */
  #tellEnds(): void {
    const { meter, log } = this.#parts;
    const now = Date.now();
    const { pairs } = this.#certificates;
    for (const [name, { notAfter: end }] of pairs) {
      meter?.gauge(notAfter, { name }).set(end / 1000);
      const notice = endNotice(end, now);
      if (notice === undefined) continue;
      log[notice.level]({ certificate: name, not_after: new Date(end).toISOString() }, `the certificate "${name}" ${notice.text}`);
    }
    clearTimeout(this.#warning);
    const ends = [...pairs.values()].map((pair) => pair.notAfter);
    this.#warning = setTimeout(() => this.#tellEnds(), nextLookMs(ends, now)).unref();
  }

  #failed(failure: HandshakeFailure, peer: string | undefined, raw: Socket): void {
    if (failure !== "reset") this.#entering.get(raw)?.refused();
    const { meter, log } = this.#parts;
    let counter = this.#failures.get(failure);
    if (meter !== undefined && counter === undefined) {
      counter = meter.counter(failures, { reason: failure });
      this.#failures.set(failure, counter);
    }
    counter?.add(1);
    log.debug({ peer, reason: failure }, `a TLS handshake failed: ${failure}`);
  }
}

/** What is wrong with a file is a problem of the setting that names it. */
function certificatesOf(settings: TlsSettings): Certificates {
  try {
    return readCertificates(settings);
  } catch (error) {
    if (!(error instanceof CertificateFileError)) throw error;
    throw new ConfigurationError([{ key: keyOf(settings, error.path), message: error.message, value: undefined }]);
  }
}

function keyOf({ pair, byHost, clientAuthorities }: TlsSettings, path: string): string {
  if (path === pair.key) return "tls.key";
  if (path === clientAuthorities) return "tls.client_ca";
  const host = [...byHost].find(([, { certificate, key }]) => path === certificate || path === key)?.[0];
  return path !== pair.certificate && host !== undefined ? `tls.sni.${host}` : "tls.certificate";
}
