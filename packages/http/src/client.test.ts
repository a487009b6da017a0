import { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { clientOf, makeClientResolver, type ProxySettings } from "./client.ts";
import { proxyPattern } from "./trusted-proxies.ts";

interface Case {
  /** The major version of HTTP: of 2, Node keeps headers otherwise. */
  readonly version?: number;
  readonly from?: readonly string[];
  readonly count?: number;
  readonly header?: string;
  readonly peer?: string | null;
}

/** A message with these header lines, resolved. */
function resolve(
  { version = 1, from = [], count, header = "x-forwarded-for", peer = "127.0.0.1" }: Case,
  lines: readonly (readonly [string, string])[],
) {
  const settings: ProxySettings = { from, count, header };
  const socket = { remoteAddress: peer ?? undefined, destroyed: false };
  const incoming = new IncomingMessage(socket as unknown as Socket);
  incoming.httpVersionMajor = version;
  // As Node's parser hands over what it has read, and Node asks of each request.
  (incoming as unknown as { _addHeaderLines(raw: string[], count: number): void })._addHeaderLines(lines.flat(), lines.length * 2);
  void incoming.headers;
  makeClientResolver(settings)(incoming);
  return { ...clientOf(incoming), incoming };
}

const loopback = ["loopback"];
const inner = ["loopback", "10.0.0.0/8"];

describe("the client's address", () => {
  const list: readonly (readonly [string, Case, readonly string[], string])[] = [
    ["nobody is believed", {}, ["9.9.9.9"], "127.0.0.1"],
    ["nobody is believed, nothing told", {}, [], "127.0.0.1"],
    ["a trusted peer that tells nothing", { from: loopback }, [], "127.0.0.1"],
    ["a trusted peer", { from: loopback }, ["9.9.9.9"], "9.9.9.9"],
    ["a mapped peer", { from: loopback, peer: "::ffff:127.0.0.1" }, ["9.9.9.9"], "9.9.9.9"],
    ["a mapped peer that nobody believes", { peer: "::ffff:127.0.0.1" }, [], "127.0.0.1"],
    ["another peer", { from: loopback, peer: "8.8.8.8" }, ["9.9.9.9"], "8.8.8.8"],
    ["two proxies", { from: inner }, ["6.6.6.6, 9.9.9.9, 10.1.2.3"], "9.9.9.9"],
    ["two lines", { from: inner }, ["6.6.6.6, 9.9.9.9", "10.1.2.3"], "9.9.9.9"],
    ["three lines", { from: inner }, ["6.6.6.6", "9.9.9.9", "10.1.2.3"], "9.9.9.9"],
    ["all are trusted: the left-most", { from: inner }, ["10.0.0.1, 10.0.0.2"], "10.0.0.1"],
    ["a spoofed start", { from: loopback }, ["1.1.1.1, 9.9.9.9"], "9.9.9.9"],
    ["IPv6", { from: loopback, peer: "::1" }, ["2001:db8::1"], "2001:db8::1"],
    ["IPv6 in brackets", { from: loopback, peer: "::1" }, ["[2001:db8::1]"], "2001:db8::1"],
    ["IPv6 with a port", { from: loopback, peer: "::1" }, ["[2001:db8::1]:443"], "2001:db8::1"],
    ["IPv4 with a port", { from: loopback }, ["9.9.9.9:1234"], "9.9.9.9"],
    ["mapped in the header", { from: loopback }, ["::ffff:9.9.9.9"], "9.9.9.9"],
    ["mapped, upper case", { from: loopback }, ["::FFFF:9.9.9.9"], "9.9.9.9"],
    ["mapped and trusted on the way", { from: inner }, ["9.9.9.9, ::ffff:10.0.0.1"], "9.9.9.9"],
    ["no address", { from: loopback }, ["not-an-ip"], "127.0.0.1"],
    ["markup", { from: loopback }, ["<script>"], "127.0.0.1"],
    ["a name", { from: loopback }, ["localhost"], "127.0.0.1"],
    ["unknown", { from: loopback }, ["unknown"], "127.0.0.1"],
    ["unknown before a good one", { from: inner }, ["9.9.9.9, unknown, 10.0.0.1"], "10.0.0.1"],
    ["a zone", { from: loopback }, ["fe80::1%eth0"], "127.0.0.1"],
    ["too many numbers", { from: loopback }, ["999.2.3.4"], "127.0.0.1"],
    ["three numbers", { from: loopback }, ["1.2.3"], "127.0.0.1"],
    ["octal", { from: loopback }, ["010.0.0.1"], "127.0.0.1"],
    ["empty", { from: loopback }, [""], "127.0.0.1"],
    ["empty entries", { from: loopback }, ["9.9.9.9, , "], "9.9.9.9"],
    ["blanks", { from: loopback }, ["  9.9.9.9  "], "9.9.9.9"],
    ["a unix socket that is believed", { from: ["unix"], peer: null }, ["9.9.9.9"], "9.9.9.9"],
    ["a unix socket that is not", { from: loopback, peer: null }, ["9.9.9.9"], "unix"],
    ["a unix socket, nobody believed", { peer: null }, ["9.9.9.9"], "unix"],
    ["a unix socket that tells nothing", { from: ["unix"], peer: null }, [], "unix"],
    ["uniquelocal", { from: ["uniquelocal"], peer: "192.168.1.1" }, ["172.16.0.1, 10.0.0.1"], "172.16.0.1"],
    ["linklocal", { from: ["linklocal"], peer: "169.254.1.1" }, ["9.9.9.9"], "9.9.9.9"],
    ["IPv6 network", { from: ["2001:db8::/32"], peer: "2001:db8::5" }, ["9.9.9.9"], "9.9.9.9"],
    ["one address", { from: ["8.8.8.8"], peer: "8.8.8.8" }, ["9.9.9.9"], "9.9.9.9"],
    ["count 1", { count: 1, peer: "8.8.8.8" }, ["1.1.1.1, 9.9.9.9"], "9.9.9.9"],
    ["count 2", { count: 2, peer: "8.8.8.8" }, ["1.1.1.1, 9.9.9.9, 7.7.7.7"], "9.9.9.9"],
    ["count 3", { count: 3, peer: "8.8.8.8" }, ["1.1.1.1, 9.9.9.9, 7.7.7.7"], "1.1.1.1"],
    ["count 3, fewer entries", { count: 3, peer: "8.8.8.8" }, ["9.9.9.9, 7.7.7.7"], "8.8.8.8"],
    ["count 1, none", { count: 1, peer: "8.8.8.8" }, [], "8.8.8.8"],
    ["count 2, one is no address", { count: 2, peer: "8.8.8.8" }, ["x, 7.7.7.7"], "7.7.7.7"],
    ["count and from: both hold", { count: 2, from: inner }, ["1.1.1.1, 9.9.9.9, 10.0.0.1"], "9.9.9.9"],
    ["count and from: the count ends it", { count: 1, from: inner }, ["9.9.9.9, 10.0.0.1"], "10.0.0.1"],
    ["count and from: the address ends it", { count: 3, from: loopback }, ["1.1.1.1, 9.9.9.9, 7.7.7.7"], "7.7.7.7"],
    ["count and from: another peer", { count: 1, from: loopback, peer: "8.8.8.8" }, ["9.9.9.9"], "8.8.8.8"],
  ];
  const inBoth = list.flatMap(([name, ...rest]) => [1, 2].map((version) => [name, version, ...rest] as const));
  test.each(inBoth)("%s, HTTP/%d", (_, version, settings, values, expected) => {
    const lines = [["Host", "inner"], ...values.map((value) => ["X-Forwarded-For", value]), ["Accept", "*/*"]] as [string, string][];
    const { address, incoming } = resolve({ ...settings, version }, lines);
    expect(address).toBe(expected);
    expect([incoming.headers.host, incoming.headers.accept]).toEqual(["inner", "*/*"]);
    const believes = (settings.from?.length ?? 0) > 0 || settings.count !== undefined;
    // The app finds this address and no other; or no header at all.
    expect(incoming.headers["x-forwarded-for"]).toBe(believes ? expected : undefined);
    expect(incoming.rawHeaders.filter((text) => /x-forwarded-for/i.test(text))).toHaveLength(believes ? 1 : 0);
    expect(incoming.headersDistinct["x-forwarded-for"]).toEqual(believes ? [expected] : undefined);
  });

  const others: readonly (readonly [string, string, readonly string[], string])[] = [
    ["one address", "x-real-ip", ["9.9.9.9"], "9.9.9.9"],
    ["two lines are not believed", "x-real-ip", ["9.9.9.9", "8.8.8.8"], "127.0.0.1"],
    ["a list is not believed", "x-real-ip", ["9.9.9.9, 8.8.8.8"], "127.0.0.1"],
    ["any name", "cf-connecting-ip", ["2001:db8::9"], "2001:db8::9"],
    ["Forwarded", "forwarded", ["for=9.9.9.9;proto=https;host=example.org"], "9.9.9.9"],
    ["Forwarded, quoted", "forwarded", ['for="[2001:db8::1]:4711"'], "2001:db8::1"],
    ["Forwarded, several", "forwarded", ["for=6.6.6.6, for=9.9.9.9, for=127.0.0.9"], "9.9.9.9"],
    ["Forwarded, upper case and blanks", "forwarded", ["FOR=6.6.6.6 , For = 9.9.9.9"], "9.9.9.9"],
    ["Forwarded, a comma in quotes", "forwarded", ['for=9.9.9.9;by="a,b"'], "9.9.9.9"],
    ["Forwarded, an escaped quote", "forwarded", ['for=9.9.9.9;by="a\\",for=1.1.1.1"'], "9.9.9.9"],
    ["Forwarded, unknown", "forwarded", ["for=9.9.9.9, for=unknown"], "127.0.0.1"],
    ["Forwarded, obfuscated", "forwarded", ["for=9.9.9.9, for=_hidden"], "127.0.0.1"],
    ["Forwarded, without for", "forwarded", ["for=9.9.9.9, proto=https"], "127.0.0.1"],
    ["Forwarded, nonsense", "forwarded", [";;,,="], "127.0.0.1"],
  ];
  test.each(others)("in another header: %s (%s)", (_, header, values, expected) => {
    // Whatever the header that nobody named says is not read.
    const lines = [...values.map((value) => [header, value] as const), ["X-Forwarded-For", "5.5.5.5"] as const];
    const { address, incoming } = resolve({ from: loopback, header }, lines);
    expect(address).toBe(expected);
    expect(incoming.headers["x-forwarded-for"]).toBe(expected);
    expect(incoming.headers["forwarded"]).toBeUndefined();
  });
});

describe("scheme and host", () => {
  const lines = [
    ["Host", "inner:8080"],
    ["X-Forwarded-For", "9.9.9.9"],
    ["X-Forwarded-Proto", "http, HTTPS"],
    ["X-Forwarded-Host", "example.org"],
  ] as const;

  test("are those that a trusted proxy tells", () => {
    const { scheme, host, incoming } = resolve({ from: loopback }, lines);
    expect([scheme, host]).toEqual(["https", "example.org"]);
    expect(incoming.headers).toMatchObject({ "x-forwarded-proto": "https", "x-forwarded-host": "example.org", host: "inner:8080" });
  });

  test("are those of the connection for all others, and nothing reaches the app", () => {
    for (const settings of [{}, { from: loopback, peer: "8.8.8.8" }]) {
      const { scheme, host, incoming } = resolve(settings, lines);
      expect([scheme, host]).toEqual(["http", "inner:8080"]);
      for (const name of ["x-forwarded-proto", "x-forwarded-host"]) expect(incoming.headers[name]).toBeUndefined();
    }
  });

  test("are not believed when they are none", () => {
    const { scheme, host } = resolve({ from: loopback }, [
      ["Host", "inner"],
      ["X-Forwarded-Proto", "javascript"],
      ["X-Forwarded-Host", "a@b/<"],
    ]);
    expect([scheme, host]).toEqual(["http", "inner"]);
  });

  test("come with the client in Forwarded", () => {
    const { scheme, host } = resolve({ from: loopback, header: "forwarded" }, [
      ["Host", "inner"],
      ["Forwarded", "for=9.9.9.9;proto=https;host=example.org, for=127.0.0.3;proto=http"],
    ]);
    expect([scheme, host]).toEqual(["https", "example.org"]);
  });
});

test("an app finds no header of forwarding that says other than the client does, whichever of them came, once or twice", () => {
  const sent = {
    "X-Forwarded-For": "6.6.6.6, 9.9.9.9, 10.0.0.3",
    "X-Real-IP": "6.6.6.6",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "shop.example",
    "X-Forwarded-Port": "8443",
    "X-Forwarded-Server": "inner-7",
    Forwarded: "for=6.6.6.6",
  };
  const names = Object.keys(sent) as (keyof typeof sent)[];
  for (let chosen = 0; chosen < 3 ** names.length; chosen++) {
    const lines: [string, string][] = [["Host", "inner"]];
    let rest = chosen;
    for (const name of names) {
      for (let times = rest % 3; times > 0; times--) lines.push([name, sent[name]]);
      rest = Math.floor(rest / 3);
    }
    lines.push(["Accept", "*/*"]);
    const { address, scheme, host, incoming } = resolve({ from: inner }, lines);
    const has = (name: string): boolean => lines.some(([each]) => each === name);
    const expected = [
      has("X-Forwarded-For") ? "9.9.9.9" : "127.0.0.1",
      has("X-Forwarded-Proto") ? "https" : "http",
      has("X-Forwarded-Host") ? "shop.example" : "inner",
    ];
    if (String([address, scheme, host]) !== String(expected)) expect([lines, address, scheme, host]).toEqual([lines, ...expected]);
    const { headers, headersDistinct, rawHeaders } = incoming;
    const right = {
      "x-forwarded-for": address,
      "x-real-ip": has("X-Real-IP") ? address : undefined,
      "x-forwarded-server": undefined,
      forwarded: undefined,
      host: "inner",
      accept: "*/*",
    };
    for (const [name, value] of Object.entries(right)) {
      const raw = rawHeaders.filter((_, n) => n % 2 === 1 && rawHeaders[n - 1]?.toLowerCase() === name);
      const found = [headers[name], headersDistinct[name]?.[0], raw.length === 1 ? raw[0] : undefined];
      if (found.some((each) => each !== value)) expect([lines, name, ...found]).toEqual([lines, name, value, value, value]);
    }
    for (const [name, value] of [
      ["x-forwarded-proto", scheme],
      ["x-forwarded-host", host],
    ] as const)
      if (headers[name] !== undefined) expect([lines, headers[name]]).toEqual([lines, value]);
  }
});

test("names of headers count in any spelling, wherever their lines stand", () => {
  const sent = [
    ["X-Forwarded-For", "6.6.6.6, 9.9.9.9"],
    ["X-Forwarded-Proto", "http, https"],
    ["X-Forwarded-Host", "shop.example"],
    ["X-Real-IP", "6.6.6.6"],
    ["X-Forwarded-Prefix", "/shop"],
  ] as const;
  const others = [
    ["Host", "inner"],
    ["X-Forwarded-Fox", "1.1.1.1"],
    ["Accept-Language", "de"],
    ["Via", "1.1 one"],
  ] as const;
  const spellings = [
    (name: string): string => name,
    (name: string): string => name.toLowerCase(),
    (name: string): string => name.toUpperCase(),
    (name: string): string => name.replaceAll(/[a-z](?=[a-z])/g, (letter, at: number) => (at % 2 === 0 ? letter.toUpperCase() : letter)),
  ];
  for (const spell of spellings)
    for (let first = 0; first <= others.length; first++)
      for (const lines of [sent, sent.toReversed()]) {
        const told = lines.map(([name, value]) => [spell(name), value] as const);
        const sentLines = [...others.slice(0, first), ...told, ...others.slice(first)];
        const { address, scheme, host, incoming } = resolve({ from: loopback }, sentLines);
        expect([address, scheme, host]).toEqual(["9.9.9.9", "https", "shop.example"]);
        expect(incoming.headers).toMatchObject({
          "x-forwarded-for": "9.9.9.9",
          "x-forwarded-proto": "https",
          "x-real-ip": "9.9.9.9",
          "x-forwarded-prefix": "/shop",
          "x-forwarded-fox": "1.1.1.1",
        });
        // Of a peer that nobody believes, all of them are taken away, and nothing else.
        const { rawHeaders } = resolve({ peer: "8.8.8.8" }, sentLines).incoming;
        expect(rawHeaders).toEqual(others.flat());
      }
});

test("what is no address, network or name is refused", () => {
  for (const good of ["10.0.0.0/8", "::1", "loopback", "unix", "fe80::/10"]) expect(proxyPattern(good)).toBe(good);
  for (const bad of ["10.0.0.0/33", "all", "1.2.3", "::1/129", "10.0.0.0/8/8"]) expect(() => proxyPattern(bad)).toThrow("is none");
});
