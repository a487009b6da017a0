/** Why a handshake failed, as the label `reason` of `tls_handshake_failures_total` has it. */
export type HandshakeFailure =
  /** The client spoke plain HTTP. */
  | "plain_http"
  /** The client has no certificate, though one is required. */
  | "no_certificate"
  /** The client's certificate is not one of a believed authority, or it has ended. */
  | "bad_certificate"
  /** The client speaks only versions that are too old. */
  | "version"
  /** No cipher or no protocol in common. */
  | "no_overlap"
  | "timeout"
  /** The client went away meanwhile. */
  | "reset"
  | "other";

const byCode: Readonly<Record<string, HandshakeFailure>> = {
  ERR_SSL_HTTP_REQUEST: "plain_http",
  ERR_SSL_HTTPS_PROXY_REQUEST: "plain_http",
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: "no_certificate",
  ERR_SSL_CERTIFICATE_VERIFY_FAILED: "bad_certificate",
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: "bad_certificate",
  ERR_SSL_UNSUPPORTED_PROTOCOL: "version",
  ERR_SSL_VERSION_TOO_LOW: "version",
  ERR_SSL_WRONG_VERSION_NUMBER: "version",
  ERR_SSL_NO_SHARED_CIPHER: "no_overlap",
  ERR_SSL_NO_APPLICATION_PROTOCOL: "no_overlap",
  ERR_TLS_HANDSHAKE_TIMEOUT: "timeout",
  ECONNRESET: "reset",
  EPIPE: "reset",
};

/** The codes of verification, such as DEPTH_ZERO_SELF_SIGNED_CERT, have no beginning in common. */
const verification = /CERT|ISSUER|SIGNATURE|CRL|SELF_SIGNED|INVALID_CA/;

/**
 * Sorts the error of Node's event `tlsClientError`. A client whose certificate is not believed is only known by its socket:
 * Node ends the connection, and tells of a reset.
 *
 * @param authorizationError what is wrong with the client's certificate, as the socket tells it
 */
export function handshakeFailure(error: Error, authorizationError: unknown): HandshakeFailure {
  if (typeof authorizationError === "string" && authorizationError !== "") return "bad_certificate";
  const { code = "" } = error as NodeJS.ErrnoException;
  return byCode[code] ?? (!code.startsWith("ERR_SSL") && verification.test(code) ? "bad_certificate" : "other");
}
