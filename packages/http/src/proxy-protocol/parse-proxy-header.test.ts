import { describe, expect, it } from "vitest";
import { parseProxyHeader, type ProxyHeader } from "./parse-proxy-header.ts";

const both = { v1: true, v2: true };
const signature = "0d0a0d0a000d0a515549540a";

/** A header of version 2. */
function binary(command: number, family: number, addresses: Buffer, additions: Buffer = Buffer.alloc(0)): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(addresses.length + additions.length);
  return Buffer.concat([Buffer.from(signature, "hex"), Buffer.from([0x20 | command, family]), length, addresses, additions]);
}

const ipv4 = Buffer.from("c0000201c6336401d9030050", "hex");
const ipv6 = Buffer.concat([
  Buffer.from("20010db8000000000000000000000001", "hex"),
  Buffer.from("20010db8000000000000000000000002", "hex"),
  Buffer.from("d9030050", "hex"),
]);
const mapped = Buffer.concat([Buffer.from("00000000000000000000ffff0a000001", "hex"), Buffer.alloc(16), Buffer.from("d9030050", "hex")]);
/** As a load balancer of AWS adds it: type 0xea with a VPC endpoint's id. */
const addition = Buffer.concat([Buffer.from("ea0010", "hex"), Buffer.from("\u0001vpce-0123456789")]);

const good: readonly (readonly [name: string, header: Buffer, client: { address: string; port: number } | undefined])[] = [
  ["v1 TCP4", Buffer.from("PROXY TCP4 192.0.2.1 198.51.100.1 55555 80\r\n"), { address: "192.0.2.1", port: 55_555 }],
  ["v1 TCP6", Buffer.from("PROXY TCP6 2001:db8::1 2001:db8::2 55555 443\r\n"), { address: "2001:db8::1", port: 55_555 }],
  ["v1 UNKNOWN", Buffer.from("PROXY UNKNOWN\r\n"), undefined],
  ["v1 UNKNOWN with more", Buffer.from("PROXY UNKNOWN ffff:: ffff:: 65535 65535\r\n"), undefined],
  ["v2 TCP4", binary(1, 0x11, ipv4), { address: "192.0.2.1", port: 55_555 }],
  ["v2 TCP4 with an addition", binary(1, 0x11, ipv4, addition), { address: "192.0.2.1", port: 55_555 }],
  ["v2 TCP6", binary(1, 0x21, ipv6, addition), { address: "2001:db8::1", port: 55_555 }],
  ["v2 IPv4 in IPv6", binary(1, 0x21, mapped), { address: "::ffff:10.0.0.1", port: 55_555 }],
  ["v2 unix", binary(1, 0x31, Buffer.alloc(216)), undefined],
  ["v2 unspecified", binary(1, 0x00, Buffer.alloc(0)), undefined],
  ["v2 LOCAL", binary(0, 0x00, Buffer.alloc(0)), undefined],
  ["v2 LOCAL with addresses", binary(0, 0x11, ipv4), undefined],
];

const bad: readonly (readonly [name: string, header: Buffer])[] = [
  ["a request", Buffer.from("GET / HTTP/1.1\r\n")],
  ["a TLS hello", Buffer.from("160301020001", "hex")],
  ["another word", Buffer.from("PROXYTCP4 1.1.1.1 1.1.1.1 1 1\r\n")],
  ["an address with 999", Buffer.from("PROXY TCP4 999.2.3.4 198.51.100.1 1 1\r\n")],
  ["IPv6 in TCP4", Buffer.from("PROXY TCP4 ::1 ::1 1 1\r\n")],
  ["IPv4 in TCP6", Buffer.from("PROXY TCP6 1.1.1.1 1.1.1.1 1 1\r\n")],
  ["a port of 99999", Buffer.from("PROXY TCP4 1.1.1.1 1.1.1.1 99999 1\r\n")],
  ["a port with a zero before it", Buffer.from("PROXY TCP4 1.1.1.1 1.1.1.1 01 1\r\n")],
  ["a zone", Buffer.from("PROXY TCP6 fe80::1%eth0 fe80::1 1 1\r\n")],
  ["no ports", Buffer.from("PROXY TCP4 1.1.1.1 1.1.1.1\r\n")],
  ["two blanks", Buffer.from("PROXY TCP4  1.1.1.1 1.1.1.1 1 1\r\n")],
  ["a line without an end", Buffer.from(`PROXY TCP4 ${"1".repeat(107)}`)],
  ["an end beyond 107 bytes", Buffer.from(`PROXY UNKNOWN ${"x".repeat(100)}\r\n`)],
  ["version 1 in a binary header", Buffer.from(`${signature}11110000`, "hex")],
  ["an unknown command", Buffer.from(`${signature}22110000`, "hex")],
  ["an unknown family", Buffer.from(`${signature}21410000`, "hex")],
  ["an unknown transport", Buffer.from(`${signature}21130000`, "hex")],
  ["too short for its addresses", binary(1, 0x11, Buffer.alloc(11))],
  ["longer than 536 bytes", Buffer.from(`${signature}21110209`, "hex")],
];

describe("a whole header", () => {
  it.each(good)("%s", (_name, header, client) => {
    expect(parseProxyHeader(header, both)).toEqual({ kind: "complete", bytes: header.length, client });
  });

  it.each(good)("%s, followed by a request", (_name, header, client) => {
    const bytes = Buffer.concat([header, Buffer.from("GET / HTTP/1.1\r\n\r\n")]);
    expect(parseProxyHeader(bytes, both)).toEqual({ kind: "complete", bytes: header.length, client });
  });

  it.each(good)("%s, cut anywhere, is incomplete", (_name, header) => {
    for (let length = 0; length < header.length; length++) {
      expect(parseProxyHeader(header.subarray(0, length), both)).toEqual({ kind: "incomplete" });
    }
  });
});

describe("no header", () => {
  it.each(bad)("%s", (_name, header) => {
    expect(parseProxyHeader(header, both).kind).toBe("invalid");
  });

  it("is found as soon as the bytes tell", () => {
    expect(parseProxyHeader(Buffer.from("G"), both).kind).toBe("invalid");
    expect(parseProxyHeader(Buffer.from("PROXI"), both).kind).toBe("invalid");
    expect(parseProxyHeader(Buffer.from(signature.slice(0, -2), "hex"), both).kind).toBe("incomplete");
  });

  it("is one of the version that is not taken", () => {
    for (const [, header] of good) {
      const isText = header[0] === 0x50;
      expect(parseProxyHeader(header, { v1: !isText, v2: isText }).kind).toBe("invalid");
    }
  });
});

it("gives one of the three answers to whatever bytes come, and never counts a byte of the payload as header", () => {
  let state = 20_261_126;
  const random = (most: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return state % most;
  };
  const payload = Buffer.from("GET /payload HTTP/1.1\r\n\r\n");
  for (let round = 0; round < 50_000; round++) {
    const template = good[random(good.length)]?.[1] ?? Buffer.alloc(0);
    const header = Buffer.from(template);
    for (let changes = random(3); changes > 0; changes--) header[random(header.length)] = random(256);
    const bytes = Buffer.concat([header, payload]).subarray(0, 1 + random(header.length + payload.length));
    const result: ProxyHeader = parseProxyHeader(bytes, both);
    if (result.kind !== "complete") continue;
    expect(result.bytes).toBeLessThanOrEqual(bytes.length);
    if (header.equals(template)) expect(result.bytes).toBe(header.length);
  }
});
