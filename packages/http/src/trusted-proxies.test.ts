import { describe, expect, test } from "vitest";
import { proxyPattern, trustedProxies } from "./trusted-proxies.ts";

describe("what may be listed", () => {
  test.each([
    "127.0.0.1",
    "10.0.0.0/8",
    "0.0.0.0/0",
    "10.1.2.3/32",
    "::1",
    "fe80::/10",
    "2001:db8::/128",
    "::/0",
    "loopback",
    "linklocal",
    "uniquelocal",
    "unix",
  ])("%s", (text) => {
    expect(proxyPattern(text)).toBe(text);
  });

  test.each([
    "",
    "10.0.0",
    "10.0.0.0/33",
    "10.0.0.0/-1",
    "10.0.0.0/",
    "10.0.0.0/8/8",
    "10.0.0.0/0x8",
    "::1/129",
    "::1/1000",
    "localhost",
    "loopback/8",
    "unix/1",
    "example.com",
    "constructor",
    "toString",
    "*",
    "Loopback",
  ])("not %j, and the sentence says what may be", (text) => {
    expect(() => proxyPattern(text)).toThrow(
      `expected addresses, networks such as 10.0.0.0/8, or loopback, linklocal, uniquelocal, unix; "${text}" is none`,
    );
  });
});

/** Pattern, addresses that are believed, addresses that are not. */
const tables: readonly (readonly [patterns: readonly string[], trusted: readonly string[], others: readonly string[]])[] = [
  [[], [], ["127.0.0.1", "::1", "10.0.0.1"]],
  [["127.0.0.1"], ["127.0.0.1", "::ffff:127.0.0.1", "::FFFF:127.0.0.1"], ["127.0.0.2", "::1"]],
  [
    ["10.0.0.0/8"],
    ["10.0.0.0", "10.255.255.255", "::ffff:10.3.2.1"],
    ["9.255.255.255", "11.0.0.0", "::ffff:11.0.0.1", "::10.0.0.1", "::ffff:a00:1x"],
  ],
  [["10.1.2.128/25"], ["10.1.2.128", "10.1.2.255"], ["10.1.2.127", "10.1.3.128"]],
  [["0.0.0.0/0"], ["1.2.3.4", "255.255.255.255"], ["::1", "fe80::1"]],
  [["::1"], ["::1", "0:0:0:0:0:0:0:1"], ["::2", "127.0.0.1"]],
  [["fe80::/10"], ["fe80::1", "febf::1"], ["fec0::1", "fe7f::1"]],
  [["loopback"], ["127.0.0.1", "127.255.0.1", "::1"], ["128.0.0.1", "10.0.0.1", "fe80::1"]],
  [["linklocal"], ["169.254.1.1", "fe80::1"], ["169.253.1.1", "127.0.0.1"]],
  [
    ["uniquelocal"],
    ["10.1.1.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", "fc00::1", "fdff::1"],
    ["172.15.0.1", "172.32.0.1", "192.169.0.1", "fe00::1"],
  ],
  [["loopback", "10.0.0.1"], ["127.0.0.1", "10.0.0.1"], ["10.0.0.2"]],
];

test.each(tables)("%j believes whom it names", (patterns, trusted, others) => {
  const trusts = trustedProxies(patterns);
  expect(trusted.filter((address) => !trusts(address))).toEqual([]);
  expect(others.filter((address) => trusts(address))).toEqual([]);
});

test.each([
  [[], false],
  [["loopback", "0.0.0.0/0", "::/0"], false],
  [["unix"], true],
  [["unix", "loopback"], true],
])("%j: clients of a unix socket, who have no address: %s", (patterns, expected) => {
  expect(trustedProxies(patterns)(undefined)).toBe(expected);
});

test.each(["", "not-an-ip", "127.0.0.1:80", "[::1]", "::ffff:", "::ffff:1.", "127.0.0.1 ", "::ffff:300.1.1.1"])(
  "nobody is called %j",
  (address) => {
    expect(trustedProxies(["loopback", "0.0.0.0/0", "::/0", "unix"])(address)).toBe(false);
  },
);

test("of the networks of four-part addresses, exactly those with the same leading bits are believed", () => {
  const text = (address: number): string => [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join(".");
  let seed = 7;
  const random = (): number => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0);
  for (let n = 0; n < 500; n++) {
    const network = random();
    const bits = random() % 33;
    const mask = bits === 0 ? 0 : (-1 << (32 - bits)) >>> 0;
    const flipped = (network ^ (1 << (random() % 32))) >>> 0;
    const trusts = trustedProxies([`${text(network)}/${bits}`]);
    for (const address of [network, flipped, random()])
      expect([network, bits, address, trusts(text(address))]).toEqual([network, bits, address, (address & mask) === (network & mask)]);
  }
});
