import { expect, test } from "vitest";
import { isLoopbackAddress, isLoopbackHost, reasonNotLocal } from "./page-access.ts";

test.each([
  ["127.0.0.1", true],
  ["127.255.0.3", true],
  ["::1", true],
  ["0:0:0:0:0:0:0:1", true],
  ["::ffff:127.0.0.1", true],
  ["::FFFF:127.0.0.1", true],
  ["::ffff:7f00:1", true],
  ["::ffff:10.0.0.1", false],
  ["::ffff:a00:1", false],
  ["10.0.0.1", false],
  ["127.0.0.1.evil.example", false],
  ["127.0.0.256", false],
  ["0.0.0.0", false],
  ["::", false],
  ["fe80::1%lo", false],
  ["", false],
])("the address %s is the loopback's: %s", (address, expected) => expect(isLoopbackAddress(address)).toBe(expected));

test.each([
  ["localhost", true],
  ["LocalHost:6060", true],
  ["localhost.:6060", true],
  ["app.localhost:6060", true],
  ["127.0.0.1:6060", true],
  ["127.0.0.2", true],
  ["[::1]:6060", true],
  ["[::ffff:127.0.0.1]", true],
  ["localhost.evil.example", false],
  ["evil.example:6060", false],
  ["evillocalhost", false],
  ["127.0.0.1.nip.io", false],
  ["localhost@evil.example", false],
  ["localhost:6060:1", false],
  ["[::1", false],
  ["::1", false],
  ["0.0.0.0:6060", false],
  ["", false],
  [":6060", false],
])("the host %s is the loopback's: %s", (host, expected) => expect(isLoopbackHost(host)).toBe(expected));

test.each([
  [{ remoteAddress: "127.0.0.1", host: "localhost:6060" }, undefined],
  [{ remoteAddress: "::ffff:127.0.0.1", host: "localhost" }, undefined],
  [{ remoteAddress: undefined, host: "localhost" }, undefined],
  [{ remoteAddress: "10.0.0.7", host: "localhost" }, "the request comes from another machine"],
  [{ remoteAddress: "127.0.0.1", host: "rebind.example" }, "the request asked for another name than localhost"],
  [{ remoteAddress: "127.0.0.1", host: undefined }, "the request asked for another name than localhost"],
  [{ remoteAddress: "127.0.0.1", host: "localhost", twice: true }, "the request asked for another name than localhost"],
  [{ remoteAddress: "127.0.0.1", host: "localhost", "x-forwarded-for": "10.0.0.7" }, "the request was forwarded by a proxy"],
])("%j: %s", ({ remoteAddress, twice, ...headers }: Record<string, string | boolean | undefined>, expected) => {
  const rawHeaders = Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [name, String(value)]));
  if (twice === true) rawHeaders.push("Host", "rebind.example");
  const request = { socket: { remoteAddress }, headers, rawHeaders } as unknown as Parameters<typeof reasonNotLocal>[0];
  expect(reasonNotLocal(request)).toBe(expected);
});
