import { isAbsolute, resolve } from "node:path";
import { dictOf, oneOf, optionalSetting, setting, string, tupleOf, ConfigurationError, type Parser, type Reader } from "@tsserve/config";
import type { CertificatePaths } from "./certificate-files.ts";

export type ClientCertificates = "none" | "request" | "require";
export type MinimumVersion = "TLSv1.2" | "TLSv1.3";

export type TlsSpec = {
  readonly certificate: Reader<string | undefined>;
  readonly key: Reader<string | undefined>;
  readonly client_ca: Reader<string | undefined>;
  readonly client_certificates: Reader<ClientCertificates>;
  readonly min_version: Reader<MinimumVersion>;
  readonly ciphers: Reader<string | undefined>;
  readonly sni: Reader<Readonly<Record<string, readonly string[]>> | undefined>;
};

const minimumVersion: Parser<MinimumVersion> = oneOf({ "1.2": "TLSv1.2", "1.3": "TLSv1.3" });

/** The keys below `tls` in `[server:…]`. */
export const tlsSpec: TlsSpec = {
  certificate: optionalSetting(
    string,
    "The certificate, with the chain that leads to its authority, PEM; a path from this file's folder. With it, the server speaks TLS. Read anew when the file changes.",
  ),
  key: optionalSetting(string, "The certificate's private key, PEM, without a passphrase; a path from this file's folder."),
  client_ca: optionalSetting(string, "The authorities whose client certificates are believed, PEM; a path from this file's folder."),
  client_certificates: setting(
    oneOf({ none: "none", request: "request", require: "require" }),
    "none",
    "Whether clients are asked for a certificate: `none`; `request`, and the app looks at `socket.authorized`; `require`, and others are refused.",
  ),
  min_version: setting(minimumVersion, "1.2", "The oldest version of TLS that is spoken: 1.2 or 1.3."),
  ciphers: optionalSetting(string, "The ciphers of TLS 1.2 and 1.3, as OpenSSL names them, separated by colons. Default: Node's."),
  sni: optionalSetting(
    dictOf(tupleOf(string)),
    "`tls.sni.NAME = CERTIFICATE, KEY`: the pair for clients that ask for this host; `*.example.org` for all below.",
  ),
};

export interface TlsSettings {
  readonly pair: CertificatePaths;
  /** Pairs by the host that clients ask for, in lower case. */
  readonly byHost: ReadonlyMap<string, CertificatePaths>;
  readonly clientAuthorities: string | undefined;
  readonly clientCertificates: ClientCertificates;
  readonly minVersion: MinimumVersion;
  readonly ciphers: string | undefined;
}

/** The keys below `tls`, each by itself. */
export interface ParsedTls {
  readonly certificate: string | undefined;
  readonly key: string | undefined;
  readonly client_ca: string | undefined;
  readonly client_certificates: ClientCertificates;
  readonly min_version: MinimumVersion;
  readonly ciphers: string | undefined;
  readonly sni: Readonly<Record<string, readonly string[]>> | undefined;
}

/**
 * What the section says of TLS; `undefined` where it says nothing.
 *
 * @param folder the folder of the INI file, from which paths are resolved
 * @throws {ConfigurationError} when parts of it are missing
 */
export function tlsSettings(parsed: ParsedTls, folder: string): TlsSettings | undefined {
  const path = (written: string): string => (isAbsolute(written) ? written : resolve(folder, written));
  const { certificate, key } = parsed;
  const problem = (name: string, message: string): ConfigurationError =>
    new ConfigurationError([{ key: `tls.${name}`, message, value: undefined }]);
  if (certificate === undefined || key === undefined) {
    if (certificate !== undefined) throw problem("key", "a value is required beside tls.certificate");
    if (key !== undefined) throw problem("certificate", "a value is required beside tls.key");
    const other = parsed.client_ca !== undefined ? "client_ca" : Object.keys(parsed.sni ?? {}).length > 0 ? "sni" : undefined;
    if (other !== undefined || parsed.client_certificates !== "none")
      throw problem("certificate", `a value is required, since tls.${other ?? "client_certificates"} is set`);
    return undefined;
  }
  if (parsed.client_certificates !== "none" && parsed.client_ca === undefined)
    throw problem("client_ca", `a value is required for tls.client_certificates = ${parsed.client_certificates}`);
  const byHost = new Map<string, CertificatePaths>();
  for (const [name, paths] of Object.entries(parsed.sni ?? {})) {
    const [certificateOfHost, keyOfHost] = paths;
    if (certificateOfHost === undefined || keyOfHost === undefined || paths.length !== 2)
      throw problem(`sni.${name}`, "expected two paths: CERTIFICATE, KEY");
    byHost.set(name.toLowerCase(), { certificate: path(certificateOfHost), key: path(keyOfHost) });
  }
  return {
    pair: { certificate: path(certificate), key: path(key) },
    byHost,
    clientAuthorities: parsed.client_ca === undefined ? undefined : path(parsed.client_ca),
    clientCertificates: parsed.client_certificates,
    minVersion: parsed.min_version,
    ciphers: parsed.ciphers,
  };
}
