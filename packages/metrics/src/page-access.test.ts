import { expect, test } from "vitest";
import { reasonNotLocal } from "./page-access.ts";

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
