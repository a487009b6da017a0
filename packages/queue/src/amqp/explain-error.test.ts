import { expect, test } from "vitest";
import { BrokerError } from "../outcome-errors.ts";
import { explainChannelError, explainConnectError } from "./explain-error.ts";
import { amqpSettings } from "./settings.ts";

const coded = (message: string, code: string | number): Error => Object.assign(new Error(message), { code });

test("each way of not getting in has a sentence of its own, names a key, and tells no password", () => {
  const settings = amqpSettings({ "amqp.password": "hunter2", "amqp.virtualhost": "shop" });
  const cases: [Error, RegExp, boolean][] = [
    [
      new Error('Handshake terminated by server: 403 (ACCESS-REFUSED) with message "hunter2"'),
      /refuses the login of "guest": see amqp\.login/,
      true,
    ],
    [new Error("Expected ConnectionOpenOk; got <ConnectionClose channel:0>"), /no virtual host "shop".*amqp\.virtualhost/, true],
    [coded("self-signed", "SELF_SIGNED_CERT_IN_CHAIN"), /authority that we don't know: see amqp\.ssl_ca \(SELF_SIGNED/, true],
    [coded("expired", "CERT_HAS_EXPIRED"), /has expired: it must be renewed \(CERT_HAS_EXPIRED\)/, true],
    [coded("early", "CERT_NOT_YET_VALID"), /not valid yet: is the clock/, true],
    [coded("names", "ERR_TLS_CERT_ALTNAME_INVALID"), /for other names than that: see amqp\.host/, true],
    [coded("tlsv13 alert certificate required", "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED"), /asks for a certificate of ours/, true],
    [coded("tlsv1 alert unknown ca", "ERR_SSL_TLSV1_ALERT_UNKNOWN_CA"), /does not know the authority of our certificate/, true],
    [coded("sslv3 alert certificate expired", "ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED"), /our certificate has expired/, true],
    [coded("sslv3 alert bad certificate", "ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE"), /does not accept our certificate/, true],
    [coded("sslv3 alert handshake failure", "ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE"), /refuses the handshake of TLS/, true],
    [coded("tlsv1 alert protocol version", "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION"), /no version of TLS/, true],
    [coded("connect", "ECONNREFUSED"), /refuses connections/, false],
    [coded("getaddrinfo", "ENOTFOUND"), /has no address.*amqp\.host/, false],
    [coded("read", "ECONNRESET"), /closed the connection while it was being opened.*amqp\.ssl/, false],
    [new Error("Socket closed abruptly during opening handshake"), /closed the connection while it was being opened/, false],
    [new Error("connect ETIMEDOUT"), /did not open a connection within 10000 ms/, false],
    [new Error("something else"), /something else/, false],
  ];
  const messages = cases.map(([error, pattern, isPermanent]) => {
    const explained = explainConnectError(error, "rabbit", settings);
    expect(explained.message).toMatch(pattern);
    expect(explained.message).not.toContain("hunter2");
    expect([explained.isPermanent, explained.cause, explained.code]).toEqual([isPermanent, error, "ERR_TSSERVE_BROKER"]);
    return explained.message;
  });
  expect(new Set(messages).size).toBe(messages.length - 1);
  expect(messages.every((message) => message.includes("RabbitMQ"))).toBe(true);
  const tls = amqpSettings({ "amqp.ssl": "true" });
  expect(explainConnectError(coded("wrong version number", "EPROTO"), "rabbit", tls).message).toMatch(/does not speak TLS at this port/);
});

test("what a channel ends with is known by its code", () => {
  const of = (code: number): unknown => {
    const { reason, isPermanent } = explainChannelError(coded("x", code), "the queue");
    return [reason, isPermanent];
  };
  expect([of(403), of(404), of(405), of(406), of(541)]).toEqual([
    ["refused", true],
    ["topology", true],
    ["refused", false],
    ["topology", true],
    ["channel_closed", false],
  ]);
  const own = new BrokerError("timeout", "late");
  expect(explainChannelError(own, "x")).toBe(own);
});
