/** What a client of HTTP/2 begins with (RFC 9113, section 3.4). No request of HTTP/1 does: `PRI` is kept for it. */
export const preface: Buffer = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/**
 * Which protocol a plain connection speaks, by all bytes that have come; `undefined` as long as both are possible. Every byte of
 * the preface counts: `PRI` alone may be the beginning of a method that nobody knows, and gets HTTP/1's answer to it.
 */
export function protocolOf(bytes: Uint8Array): "http1" | "h2" | undefined {
  const length = Math.min(bytes.length, preface.length);
  for (let n = 0; n < length; n++) if (bytes[n] !== preface[n]) return "http1";
  return length === preface.length ? "h2" : undefined;
}
