import { readFileSync } from "node:fs";
import { connect as connectTls } from "node:tls";
import { deflateSync } from "node:zlib";
import { openRaw, until } from "@tsserve/testing";
import { expect, test } from "vitest";
import { framed, message, serveThrift, benchClient, type ApacheProtocol } from "./support/thrift.ts";

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex");

/** A THeader frame: the header part in hex, padded, and the payload. */
function headerFrame(header: string, payload: Buffer): Buffer {
  const bytes = hex(header);
  const padded = Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
  const fixed = hex("0fff 0000 00000001 0000");
  fixed.writeUInt16BE(padded.length / 4, 8);
  return framed(Buffer.concat([fixed, padded, payload]));
}

const ping = message("binary", "ping");
const deep = (protocol: "binary" | "compact", depth: number): Buffer =>
  message(protocol, "echo", (output: ApacheProtocol) => {
    for (let level = 0; level < depth; level++) {
      output["writeFieldBegin"]?.("", 12, 1);
      output["writeStructBegin"]?.("");
    }
    for (let level = 0; level <= depth; level++) output["writeFieldStop"]?.();
  });

/** What nobody should send, and what the log says of it; `answer` where the connection goes on. */
const hostile: readonly { name: string; bytes: Buffer; reason?: RegExp; answer?: RegExp }[] = [
  { name: "a frame of 2 GB", bytes: hex("7fffffff 80010001"), reason: /longer than max_frame_size/ },
  { name: "a frame of one byte more than may be", bytes: hex("00fa0001 80010001"), reason: /16384001 bytes is longer/ },
  { name: "a frame without anything", bytes: hex("00000000 80010001"), reason: /holds no message/ },
  {
    name: "HTTP",
    bytes: Buffer.from("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    reason: /found HTTP/,
    answer: /^HTTP\/1.1 400[^]*This port speaks Thrift/,
  },
  { name: "random bytes", bytes: hex("c0ffee00 c0ffee00"), reason: /expected a strict binary/ },
  { name: "the old, lax binary protocol", bytes: framed(hex("00000004 70696e67 01 00000001 00")), reason: /expected a strict binary/ },
  { name: "a name of 2 GB", bytes: framed(hex("80010001 7fffffff 70")), reason: /longer than max_string_size/ },
  { name: "a name of -1 bytes", bytes: framed(hex("80010001 ffffffff 70")), reason: /a string of -1 bytes/ },
  { name: "a name that goes on past the frame", bytes: framed(hex("80010001 00000009 70")), reason: /the message ends within a string/ },
  { name: "an unframed name of 2 GB", bytes: hex("80010001 7fffffff 70"), reason: /longer than max_string_size/ },
  { name: "an unframed compact name without end", bytes: hex("8221 01 ffffffffffffffffffffff"), reason: /varint|longer than|a length of/ },
  {
    name: "an unframed list of 2^31 booleans",
    bytes: hex("80010001 00000004 70696e67 00000001 0f0001 02 7fffffff"),
    reason: /max_container_size/,
  },
  { name: "an unframed compact list of 2^31 booleans", bytes: hex("8221 01 04 70696e67 19 f1 ffffffff07"), reason: /max_container_size/ },
  { name: "an unframed message that nests without end", bytes: deep("binary", 200), reason: /nests deeper than max_depth/ },
  {
    name: "a THeader with a header that goes on past the frame",
    bytes: framed(hex("0fff 0000 00000001 00ff 00000000")),
    reason: /past the frame's end/,
  },
  { name: "a THeader of an unknown protocol", bytes: headerFrame("0500", ping), reason: /the protocol 5 is not known/ },
  {
    name: "a THeader whose payload is of another protocol",
    bytes: headerFrame("0200", ping),
    reason: /is no message of the compact protocol/,
  },
  { name: "a zlib bomb", bytes: headerFrame("000101", deflateSync(Buffer.alloc(100_000_000))), reason: /it is more than 16384000 bytes/ },
  { name: "what is no zlib", bytes: headerFrame("000101", ping), reason: /can't be inflated/ },
  {
    name: "an unknown transform",
    bytes: headerFrame("000102", ping),
    reason: /the transform 2 is not known/,
    answer: /the transform 2 is not known/,
  },
  { name: "a framed message that nests without end", bytes: framed(deep("binary", 200)), answer: /nests deeper than max_depth/ },
  { name: "a framed compact message that nests without end", bytes: framed(deep("compact", 200)), answer: /nests deeper than max_depth/ },
  {
    name: "a container of -1 elements",
    bytes: framed(hex("80010001 00000004 6563686f 00000001 0f0001 08 ffffffff 00")),
    answer: /a container of -1 elements/,
  },
  {
    name: "a string of -1 bytes in an argument",
    bytes: framed(hex("80010001 00000004 6563686f 00000001 0c0001 0b0003 ffffffff 00 00")),
    answer: /a string of -1 bytes/,
  },
  {
    name: "a struct that does not end",
    bytes: framed(hex("80010001 00000004 6563686f 00000001 0c0001")),
    answer: /the message ends within a struct/,
  },
  {
    name: "a type that nobody knows",
    bytes: framed(hex("80010001 00000004 6563686f 00000001 630001 00")),
    answer: /the type 99 is not known/,
  },
];

test("hostile input ends its own connection at most, and the others are served on", async () => {
  await using server = serveThrift();
  const endpoint = await server.endpoint();
  using bystander = benchClient(endpoint, { size: 1 });
  await bystander.call("ping", []);
  for (const { name, bytes, reason, answer } of hostile) {
    using raw = await openRaw(`http://${endpoint}`);
    const before = server.logs().length;
    raw.send(bytes);
    if (answer !== undefined) await raw.receives(answer);
    if (reason === undefined) {
      raw.send(framed(ping));
      await raw.receives(/\0\0\0\x04ping\0\0\0\x01\0$/);
    } else {
      await raw.closed();
      const found = await until(name, () =>
        server
          .logs()
          .slice(before)
          .find((line) => line["reason"] !== undefined),
      );
      expect(found["reason"], name).toMatch(reason);
    }
    await expect(bystander.call("add_later", [1, 2, 0])).resolves.toBe(3);
  }
});

test("TLS on the port is told from Thrift", async () => {
  await using server = serveThrift();
  const { port } = new URL(`http://${await server.endpoint()}`);
  const socket = connectTls({ port: Number(port), host: "127.0.0.1", rejectUnauthorized: false });
  await new Promise((resolve) => socket.once("error", resolve));
  const line = await until("the log", () => server.logs().find((each) => each["reason"] !== undefined));
  expect(line["reason"]).toBe("expected Thrift, found a TLS handshake");
});

test("text that is no UTF-8 is taken as it can be", async () => {
  await using server = serveThrift();
  using raw = await openRaw(`http://${await server.endpoint()}`);
  raw.send(framed(Buffer.concat([hex("80010004 00000004 6e6f7465 00000001 0b0001 00000003"), hex("61ff62"), hex("00")])));
  await until("the note", () => server.stdout().includes("note: a\ufffdb"));
});

test("what is announced takes no memory, what is sent takes no more than it has", async () => {
  await using server = serveThrift({ server: { max_frame_size: "8M", access_log: "false" } });
  const endpoint = await server.endpoint();
  using client = benchClient(endpoint);
  await client.call("ping", []);
  const before = residentMb(server.pid);
  const raws = [];
  for (let count = 0; count < 200; count++) {
    const raw = await openRaw(`http://${endpoint}`);
    raw.send(count % 2 === 0 ? hex("00700000 80010001 00000004 6563") : hex("80010001 00700000 65"));
    raws.push(raw);
  }
  await client.call("ping", []);
  expect(residentMb(server.pid) - before).toBeLessThan(40);
  for (const raw of raws) raw[Symbol.dispose]();
  // One byte at a time: no buffer for each.
  using slow = await openRaw(`http://${endpoint}`);
  slow.socket.setNoDelay(true);
  slow.send(hex("00030d40 80010001"));
  for (let count = 0; count < 20_000; count++) {
    slow.send(Buffer.from([0]));
    if (count % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await client.call("ping", []);
  expect(residentMb(server.pid) - before).toBeLessThan(60);
});

function residentMb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}
