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
    [coded("self-signed", "SELF_SIGNED_CERT_IN_CHAIN"), /certificate that can't be verified.*amqp\.ssl_ca/, true],
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
