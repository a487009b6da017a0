import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls";
import { CertificateFileError, readAuthorities, readCertificatePair, type CertificatePair } from "./certificate-files.ts";
import type { TlsSettings } from "./tls-settings.ts";

/** What is served from one state of the files. */
export interface Certificates {
  /** The options of the default context, for `tls.createServer` and `setSecureContext`. */
  readonly options: SecureContextOptions;
  /** By the host that clients ask for; a key `*.example.org` stands for all names one level below. */
  readonly byHost: ReadonlyMap<string, SecureContext>;
  /** Each pair by its name: `default`, or the host. */
  readonly pairs: ReadonlyMap<string, CertificatePair>;
  /** The same for the same contents of the files. */
  readonly fingerprint: string;
}

/** The name of the pair for clients that ask for no host, or for another one. */
const defaultPairName = "default";

/**
 * Reads all files and makes contexts of them; either all can be used or none is.
 *
 * @throws {CertificateFileError}
 */
export function readCertificates(settings: TlsSettings): Certificates {
  const pairs = new Map([[defaultPairName, readCertificatePair(settings.pair)]]);
  for (const [host, paths] of settings.byHost) pairs.set(host, readCertificatePair(paths));
  const authorities = settings.clientAuthorities === undefined ? undefined : readAuthorities(settings.clientAuthorities);
  const common = {
    minVersion: settings.minVersion,
    ...(settings.ciphers === undefined ? {} : { ciphers: settings.ciphers }),
    ...(authorities === undefined ? {} : { ca: authorities }),
  };
  const optionsOf = ({ certificate, key }: CertificatePair): SecureContextOptions => ({ ...common, cert: certificate, key });
  const byHost = new Map<string, SecureContext>();
  let options: SecureContextOptions = {};
  for (const [name, pair] of pairs) {
    const context = contextOf(
      optionsOf(pair),
      name === defaultPairName ? settings.pair.certificate : (settings.byHost.get(name)?.certificate ?? name),
    );
    if (name === defaultPairName) options = optionsOf(pair);
    else byHost.set(name, context);
  }
  const fingerprint = [...pairs].map(
    ([name, { serialNumber, certificate }]) => `${name} ${serialNumber} ${certificate.toString("base64")}`,
  );
  return { options, byHost, pairs, fingerprint: [...fingerprint, authorities?.toString("base64") ?? ""].join("\n") };
}

/** OpenSSL looks closer than the parser of certificates: weak keys, chains that do not fit. */
function contextOf(options: SecureContextOptions, path: string): SecureContext {
  try {
    return createSecureContext(options);
  } catch (error) {
    throw new CertificateFileError(path, `can't be used: ${(error as Error).message}`);
  }
}

/** The context for a host: its own, or that of a name with `*.` for its first part; `undefined` for the default one. */
export function contextFor(host: string, byHost: ReadonlyMap<string, SecureContext>): SecureContext | undefined {
  const name = host.toLowerCase();
  return byHost.get(name) ?? byHost.get(name.replace(/^[^.]+/, "*"));
}
