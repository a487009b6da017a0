import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { BrokerError } from "../outcome-errors.ts";
import type { AmqpSettings } from "./settings.ts";

export interface TlsOptions {
  readonly ca: Buffer | undefined;
  readonly cert: Buffer | undefined;
  readonly key: Buffer | undefined;
}

/**
 * The contents of the files that a connection with TLS needs. Read for each connection: a renewed certificate is taken with the next one.
 *
 * @throws {BrokerError} `refused`, for good, with the key of the INI file whose file can't be used
 */
export function tlsOptions({ ca, cert, key }: NonNullable<AmqpSettings["tls"]>): TlsOptions {
  const options = { ca: contentOf("amqp.ssl_ca", ca), cert: contentOf("amqp.ssl_cert", cert), key: contentOf("amqp.ssl_key", key) };
  // OpenSSL takes any text for a list of authorities, and finds none in it.
  if (options.ca !== undefined && !options.ca.includes("-----BEGIN ")) throw unusable("amqp.ssl_ca", ca, "it holds no certificate (PEM)");
  check("amqp.ssl_ca", ca, { ca: options.ca });
  check("amqp.ssl_cert", cert, { cert: options.cert });
  check("amqp.ssl_key", key, { key: options.key });
  if (key !== undefined) check("amqp.ssl_key", key, { cert: options.cert, key: options.key });
  return options;
}

function contentOf(name: string, path: string | undefined): Buffer | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path);
  } catch (cause) {
    throw unusable(name, path, (cause as Error).message, cause);
  }
}

const reasons: Readonly<Record<string, string>> = {
  ERR_OSSL_PEM_NO_START_LINE: "it is no PEM file",
  ERR_OSSL_UNSUPPORTED: "it is no PEM file, or holds something else",
  ERR_OSSL_X509_KEY_VALUES_MISMATCH: "it is not the key of the certificate in amqp.ssl_cert",
  ERR_OSSL_BAD_DECRYPT: "the key is encrypted with a passphrase",
  ERR_OSSL_CRYPTO_INTERRUPTED_OR_CANCELLED: "the key is encrypted with a passphrase",
};

function check(name: string, path: string | undefined, options: Partial<TlsOptions>): void {
  if (path === undefined) return;
  try {
    createSecureContext(options);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    throw unusable(name, path, reasons[code] ?? (cause as Error).message, cause);
  }
}

function unusable(name: string, path: string | undefined, why: string, cause?: unknown): BrokerError {
  return new BrokerError("refused", `${name}: the file ${path} can't be used: ${why}`, { isPermanent: true, cause });
}
