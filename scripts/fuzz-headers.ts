/**
 * Feeds made-up PROXY headers and forwarding headers to what reads them, for as many as it is asked; a seed replays.
 *
 *     node --import tsx --conditions=@tsserve/source scripts/fuzz-headers.ts [count] [seed]
 *
 * A PROXY header gives one of the three answers and counts no byte of the payload; a whole one is read the same however much
 * follows it. A forwarding header gives an address, and the app finds that one alone.
 */
import { IncomingMessage } from "node:http";
import { isIP, type Socket } from "node:net";
import { clientOf, makeClientResolver } from "../packages/http/src/client.ts";
import { parseProxyHeader } from "../packages/http/src/proxy-protocol/parse-proxy-header.ts";

const count = Number(process.argv[2] ?? 100_000);
const seed = Number(process.argv[3] ?? 1);

let state = seed;
function random(below: number): number {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
}
const pick = <T>(values: readonly T[]): T => values[random(values.length)] as T;

const signature = Buffer.from("0d0a0d0a000d0a515549540a", "hex");
const payload = Buffer.from("GET / HTTP/1.1\r\nHost: a\r\n\r\n");

/** A header of version 2 with a body of that length, right or wrong in a byte. */
function binary(): { bytes: Buffer; length: number | undefined } {
  const family = pick([0x00, 0x11, 0x12, 0x21, 0x22, 0x31]);
  const command = pick([0x20, 0x21]);
  const addresses = [0, 12, 36, 216][family >> 4] ?? 0;
  const length = addresses + random(60);
  const head = Buffer.alloc(16 + length);
  signature.copy(head);
  head[12] = command;
  head[13] = family;
  head.writeUInt16BE(length, 14);
  for (let n = 16; n < head.length; n++) head[n] = random(256);
  return { bytes: head, length: head.length };
}

function text(): { bytes: Buffer; length: number | undefined } {
  const four = (): string => [random(256), random(256), random(256), random(256)].join(".");
  const six = (): string => Array.from({ length: 8 }, () => random(65_536).toString(16)).join(":");
  const [family, address] = pick([["TCP4", four] as const, ["TCP6", six] as const]);
  const line = pick([`PROXY ${family} ${address()} ${address()} ${random(65_536)} ${random(65_536)}\r\n`, "PROXY UNKNOWN\r\n"]);
  return { bytes: Buffer.from(line), length: line.length };
}

function fail(what: string, bytes: Buffer | string): never {
  throw new Error(`${what} (seed ${seed}): ${typeof bytes === "string" ? JSON.stringify(bytes) : bytes.toString("hex")}`);
}

function fuzzProxyHeader(): void {
  const { bytes, length } = random(2) === 0 ? binary() : text();
  const whole = Buffer.concat([bytes, payload]);
  const right = parseProxyHeader(whole, { v1: true, v2: true });
  if (right.kind !== "complete" || right.bytes !== length) fail("a good header is not read", whole);
  const part = parseProxyHeader(whole.subarray(0, random(bytes.length)), { v1: true, v2: true });
  if (part.kind !== "incomplete") fail("a part of a good header is not waited for", whole);
  for (let changes = 1 + random(3); changes > 0; changes--) whole[random(whole.length)] = random(256);
  const wrong = parseProxyHeader(whole, { v1: true, v2: true });
  if (wrong.kind === "complete") {
    if (wrong.bytes > whole.length) fail("more is taken than there is", whole);
    if (wrong.client !== undefined && isIP(wrong.client.address) === 0) fail("what is named is no address", whole);
  }
}

const resolvers = [
  { header: "x-forwarded-for", from: ["loopback", "10.0.0.0/8"], count: undefined },
  { header: "x-forwarded-for", from: [], count: 2 },
  { header: "forwarded", from: ["loopback", "10.0.0.0/8"], count: undefined },
  { header: "x-real-ip", from: ["loopback"], count: undefined },
  { header: "x-forwarded-for", from: [], count: undefined },
].map((settings) => ({ settings, resolve: makeClientResolver(settings) }));
const names = ["X-Forwarded-For", "Forwarded", "X-Real-IP", "X-Forwarded-Proto", "X-Forwarded-Host", "Accept"];
const pieces = [
  "1.2.3.4",
  "10.0.0.7",
  "::1",
  "[2001:db8::1]:443",
  "::ffff:9.9.9.9",
  "unknown",
  "_x",
  "for=",
  '"',
  "\\",
  ";",
  ",",
  " ",
  "=",
  "%",
  "fe80::1%e",
  "https",
  "a.b:80",
  "\x80",
];

function fuzzForwarding(): void {
  const raw: string[] = ["Host", "inner"];
  for (let lines = random(5); lines > 0; lines--) raw.push(pick(names), Array.from({ length: random(6) }, () => pick(pieces)).join(""));
  const incoming = new IncomingMessage({ remoteAddress: pick(["127.0.0.1", "8.8.8.8", "::ffff:10.1.1.1"]), destroyed: false } as Socket);
  (incoming as unknown as { _addHeaderLines(lines: string[], count: number): void })._addHeaderLines(raw, raw.length);
  const { settings, resolve } = pick(resolvers);
  const told = JSON.stringify({ settings, raw });
  resolve(incoming);
  const { address, scheme, host } = clientOf(incoming);
  if (isIP(address) === 0) fail("the client has no address", told);
  if (scheme !== "http" && scheme !== "https") fail("the scheme is none", told);
  if (host === undefined || /[\s"<>\\]/.test(host)) fail("the host is none", told);
  const believes = settings.from.length > 0 || settings.count !== undefined;
  if (incoming.headers["x-forwarded-for"] !== (believes ? address : undefined)) fail("the app finds another client", told);
  if (incoming.headers["forwarded"] !== undefined) fail("the app finds what it must not", told);
  if (incoming.headersDistinct["x-forwarded-for"]?.join() !== (believes ? address : undefined)) fail("the app finds another list", told);
}

const began = performance.now();
for (let n = 0; n < count; n++) {
  fuzzProxyHeader();
  fuzzForwarding();
}
console.log(
  `${count} PROXY headers and as many sets of forwarding headers, seed ${seed}: none misread, in ${Math.round((performance.now() - began) / 1000)} s`,
);
