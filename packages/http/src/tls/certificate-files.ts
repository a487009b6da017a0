import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";

/** Paths of a certificate (with its chain) and of its private key, PEM. */
export interface CertificatePaths {
  readonly certificate: string;
  readonly key: string;
}

/** A certificate and its key that belong together. */
export interface CertificatePair {
  readonly certificate: Buffer;
  readonly key: Buffer;
  /** When the certificate begins and ends to be valid, in milliseconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly serialNumber: string;
}

/** A file of TLS that can't be used; the message names it and what is wrong, never what it holds. */
export class CertificateFileError extends Error {
  override readonly name = "CertificateFileError";
  /** The file that is wrong. */
  readonly path: string;

  constructor(path: string, reason: string) {
    super(`${path}: ${reason}`);
    this.path = path;
  }
}

/**
 * Reads a pair and makes sure that it can be used: a certificate, a private key without a passphrase, and each other's.
 *
 * @throws {CertificateFileError}
 */
export function readCertificatePair({ certificate: certificatePath, key: keyPath }: CertificatePaths): CertificatePair {
  const certificate = readPem(certificatePath);
  const key = readPem(keyPath);
  const leaf = parsing(certificatePath, "expected a certificate in PEM form", () => readPemCertificate(certificate));
  if (encryptedKey.test(key.toString("latin1")))
    throw new CertificateFileError(
      keyPath,
      "is encrypted, and nobody is there to give its passphrase; `openssl pkey` writes it without one",
    );
  const privateKey = parsing(keyPath, "expected a private key in PEM form, without a passphrase", () => createPrivateKey(key));
  if (!leaf.checkPrivateKey(privateKey)) {
    const place = certificatesIn(certificate).findIndex((each) => each.checkPrivateKey(privateKey));
    if (place > 0)
      throw new CertificateFileError(
        certificatePath,
        `has its certificates in the wrong order: that of the key ${keyPath} is number ${place + 1}, and has to be the first; the one that signed it follows, and so on`,
      );
    throw new CertificateFileError(keyPath, `is not the key of the certificate ${certificatePath}`);
  }
  return {
    certificate,
    key,
    notBefore: Date.parse(leaf.validFrom),
    notAfter: Date.parse(leaf.validTo),
    serialNumber: leaf.serialNumber,
  };
}

/**
 * Reads certificates of authorities, one or several in a file.
 *
 * @throws {CertificateFileError}
 */
export function readAuthorities(path: string): Buffer {
  const text = readPem(path);
  parsing(path, "expected certificates in PEM form", () => readPemCertificate(text));
  // OpenSSL trusts those before the first that it can't read, and says nothing of the others.
  const blocks = text
    .toString("latin1")
    .split(beginning)
    .filter((block) => block.startsWith("-----BEGIN "));
  for (const [place, block] of blocks.entries())
    parsing(path, `certificate number ${place + 1} of the file can't be read`, () => new X509Certificate(block));
  return text;
}

/** Before each certificate of a file (RFC 7468, section 5.1, and OpenSSL's older names). */
const beginning = /(?=-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----)/;

/** The first of a file. What reads a certificate takes DER as well, and what serves it, or trusts it, does not. */
function readPemCertificate(pem: Buffer): X509Certificate {
  if (!pem.includes("-----BEGIN ")) throw new Error("this is no PEM");
  return new X509Certificate(pem);
}

/** Both ways in which PEM says so: of PKCS 8 (RFC 5958, section 3), and OpenSSL's older one (RFC 1421, section 4.6.1.1). */
const encryptedKey = /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m;

/** All certificates of a file, as far as they can be read. */
function certificatesIn(pem: Buffer): X509Certificate[] {
  const blocks = pem
    .toString("latin1")
    .match(/-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]*-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g);
  return (blocks ?? []).flatMap((block) => {
    try {
      return [new X509Certificate(block)];
    } catch {
      return [];
    }
  });
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EACCES: "permission denied",
  EISDIR: "it is a folder",
  ENOTDIR: "a part of its path is no folder",
};

function readPem(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new CertificateFileError(path, reasons[(error as NodeJS.ErrnoException).code ?? ""] ?? (error as Error).message);
  }
}

/** OpenSSL's own messages name no file, and tell nothing to who does not know its sources. */
function parsing<T>(path: string, expectation: string, parse: () => T): T {
  try {
    return parse();
  } catch {
    throw new CertificateFileError(path, expectation);
  }
}
