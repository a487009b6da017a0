import { BrokerError } from "../outcome-errors.ts";
import type { AmqpSettings } from "./settings.ts";

const unknownAuthority = "has a certificate of an authority that we don't know: see amqp.ssl_ca";

/** What is wrong with the broker's certificate (nodejs.org/api/tls.html, "X509 certificate error codes"). */
const certificateProblems: Readonly<Record<string, string>> = {
  SELF_SIGNED_CERT_IN_CHAIN: unknownAuthority,
  DEPTH_ZERO_SELF_SIGNED_CERT: unknownAuthority,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: unknownAuthority,
  UNABLE_TO_GET_ISSUER_CERT: unknownAuthority,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: unknownAuthority,
  CERT_UNTRUSTED: unknownAuthority,
  CERT_SIGNATURE_FAILURE: unknownAuthority,
  CERT_HAS_EXPIRED: "has a certificate that has expired: it must be renewed",
  CERT_NOT_YET_VALID: "has a certificate that is not valid yet: is the clock of this machine right?",
  CERT_REVOKED: "has a certificate that was revoked",
  ERR_TLS_CERT_ALTNAME_INVALID: "has a certificate for other names than that: see amqp.host",
};

/** What the broker says of our certificate (RFC 8446, section 6.2, as OpenSSL's texts have it). */
const alerts: readonly (readonly [RegExp, string])[] = [
  [/alert certificate required|peer did not return a certificate/i, "asks for a certificate of ours: see amqp.ssl_cert and amqp.ssl_key"],
  [/alert certificate expired/i, "says that our certificate has expired: see amqp.ssl_cert"],
  [/alert unknown ca/i, "does not know the authority of our certificate: see amqp.ssl_cert"],
  [
    /alert (?:bad certificate|certificate unknown|certificate revoked|unsupported certificate|access denied)/i,
    "does not accept our certificate: see amqp.ssl_cert",
  ],
  // Before TLS 1.3, a missing certificate is answered with this, too.
  [
    /alert handshake failure/i,
    "refuses the handshake of TLS: it may ask for a certificate of ours (amqp.ssl_cert), or for another version of TLS",
  ],
  [/alert protocol version|unsupported protocol|no protocols available/i, "speaks no version of TLS that this Node does"],
];

/** What kept a connection from being opened, in words for whoever runs the server; without the password, whatever the library says. */
export function explainConnectError(error: unknown, host: string, settings: AmqpSettings): BrokerError {
  if (error instanceof BrokerError) return error;
  const { port, login, virtualHost, tls } = settings;
  const place = `RabbitMQ at ${host}:${port}`;
  const text = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const permanent = { isPermanent: true, cause: error };
  if (/ACCESS[-_]REFUSED/.test(text))
    return new BrokerError("refused", `${place} refuses the login of "${login}": see amqp.login and amqp.password`, permanent);
  // amqplib hides the broker's own words, which are `530 NOT_ALLOWED`.
  if (/Expected ConnectionOpenOk/.test(text))
    return new BrokerError(
      "refused",
      `${place} has no virtual host "${virtualHost}" for "${login}": see amqp.virtualhost, and the user's permissions there`,
      permanent,
    );
  const problem = certificateProblems[code] ?? alerts.find(([pattern]) => pattern.test(text))?.[1];
  if (problem !== undefined) return new BrokerError("refused", `${place} ${problem}${code === "" ? "" : ` (${code})`}`, permanent);
  if (tls !== undefined && (code === "EPROTO" || /wrong version number|packet length too long/i.test(text)))
    return new BrokerError("refused", `${place} does not speak TLS at this port: see amqp.ssl and amqp.port`, permanent);
  if (code === "ECONNREFUSED") return new BrokerError("unreachable", `${place} refuses connections (ECONNREFUSED)`, { cause: error });
  if (code === "ENOTFOUND" || code === "EAI_AGAIN")
    return new BrokerError("unreachable", `the host ${host} of RabbitMQ has no address (${code}): see amqp.host`, { cause: error });
  if (code === "ETIMEDOUT" || code === "ABORT_ERR" || /ETIMEDOUT/.test(text))
    return new BrokerError("timeout", `${place} did not open a connection within ${settings.connectTimeoutMs} ms`, { cause: error });
  if (code === "ECONNRESET" || /Socket closed abruptly/.test(text)) {
    const guess = tls === undefined ? "; if the port expects TLS, set amqp.ssl" : "";
    return new BrokerError("unreachable", `${place} closed the connection while it was being opened${guess}`, { cause: error });
  }
  return new BrokerError("unreachable", `can't connect to ${place}: ${text}`, { cause: error });
}

/** Codes with which the broker answers that something can't be had as it is asked for (AMQP 0-9-1, section 1.2). */
const permanentCodes: ReadonlySet<unknown> = new Set([403, 404, 406]);

/** What kept a consumer from its subscription, or ended it. */
export function explainChannelError(error: unknown, what: string): BrokerError {
  if (error instanceof BrokerError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  const reason = code === 403 || code === 405 ? "refused" : code === 404 || code === 406 ? "topology" : "channel_closed";
  return new BrokerError(reason, `${what}: ${text}`, { isPermanent: permanentCodes.has(code), cause: error });
}
