import { createRequire } from "node:module";
import { deflateSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { headerPartBytes, readHeaderFrame, UnknownTransformError, writeHeaderPart } from "./header-frame.ts";
import { defaultLimits } from "./limits.ts";
import { MessageScanner } from "./message-scanner.ts";
import { sniff } from "./sniff.ts";
import { varintLength, VarintCursor, writeVarint } from "./varint.ts";
import type { ProtocolName } from "./types.ts";

/** What these tests use of Apache's library. */
interface ApacheProtocol {
  [method: string]: (...args: unknown[]) => void;
}
const apache = createRequire(import.meta.url)("thrift") as {
  Thrift: { Type: Record<string, number> };
  TBufferedTransport: new (buffer?: Buffer, onFlush?: (bytes: Buffer) => void) => { flush(): void };
  TBinaryProtocol: new (transport: unknown) => ApacheProtocol;
  TCompactProtocol: new (transport: unknown) => ApacheProtocol;
};
const T = apache.Thrift.Type as Readonly<
  Record<"BOOL" | "BYTE" | "I16" | "I32" | "I64" | "DOUBLE" | "STRING" | "STRUCT" | "LIST" | "SET" | "MAP", number>
>;

/** A small generator of numbers, seeded: the same messages each time. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Writes a message of a random shape with Apache's own writer. */
function randomMessage(protocolName: ProtocolName, seed: number): Buffer {
  const random = generator(seed);
  let written = Buffer.alloc(0);
  const transport = new apache.TBufferedTransport(undefined, (bytes) => (written = Buffer.from(bytes)));
  const out = new (protocolName === "binary" ? apache.TBinaryProtocol : apache.TCompactProtocol)(transport);
  const types = [T.BOOL, T.BYTE, T.I16, T.I32, T.I64, T.DOUBLE, T.STRING, T.STRUCT, T.LIST, T.SET, T.MAP];
  const scalars = [T.BOOL, T.BYTE, T.I16, T.I32, T.I64, T.DOUBLE, T.STRING];
  const pick = (depth: number): number => (depth > 4 ? scalars : types)[random(depth > 4 ? scalars.length : types.length)] as number;

  const value = (type: number, depth: number): void => {
    if (type === T.BOOL) out["writeBool"]?.(random(2) === 1);
    else if (type === T.BYTE) out["writeByte"]?.(random(256) - 128);
    else if (type === T.I16) out["writeI16"]?.(random(65_536) - 32_768);
    else if (type === T.I32) out["writeI32"]?.(random(2 ** 31) * (random(2) === 0 ? 1 : -1));
    else if (type === T.I64) out["writeI64"]?.(random(2 ** 40) * (random(2) === 0 ? 1 : -1));
    else if (type === T.DOUBLE) out["writeDouble"]?.(random(1000) / 7);
    else if (type === T.STRING) out["writeString"]?.("é".repeat(random(3)) + "x".repeat(random(200)));
    else if (type === T.STRUCT) struct(depth + 1);
    else if (type === T.MAP) {
      const [key, element, size] = [pick(depth + 1), pick(depth + 1), random(5)];
      out["writeMapBegin"]?.(key, element, size);
      for (let i = 0; i < size; i++) {
        value(key, depth + 1);
        value(element, depth + 1);
      }
      out["writeMapEnd"]?.();
    } else {
      const [element, size] = [pick(depth + 1), random(25)];
      out[type === T.LIST ? "writeListBegin" : "writeSetBegin"]?.(element, size);
      for (let i = 0; i < size; i++) value(element, depth + 1);
      out[type === T.LIST ? "writeListEnd" : "writeSetEnd"]?.();
    }
  };
  const struct = (depth: number): void => {
    out["writeStructBegin"]?.("s");
    let id = 0;
    for (let left = random(6); left > 0; left--) {
      const type = pick(depth);
      id += 1 + random(20);
      out["writeFieldBegin"]?.("f", type, id);
      value(type, depth);
      out["writeFieldEnd"]?.();
    }
    out["writeFieldStop"]?.();
    out["writeStructEnd"]?.();
  };
  out["writeMessageBegin"]?.("method".slice(0, 1 + random(6)), 1, random(2 ** 31));
  struct(0);
  out["writeMessageEnd"]?.();
  transport.flush();
  return written;
}

/** Pushes bytes in pieces of random lengths; gives the end of the message, or -1. */
function scan(protocol: ProtocolName, bytes: Buffer, seed: number, limits = defaultLimits): number {
  const random = generator(seed);
  const scanner = new MessageScanner(protocol, limits);
  let start = 0;
  while (start < bytes.length) {
    const piece = bytes.subarray(start, start + 1 + random(random(4) === 0 ? 4000 : 7));
    const end = scanner.push(piece, 0);
    if (end !== -1) return start + end;
    start += piece.length;
  }
  return -1;
}

describe.each(["binary", "compact"] as const)("the end of an unframed %s message", (protocol) => {
  test("is found in whatever pieces it comes, and what follows it is left alone", () => {
    for (let seed = 1; seed <= 400; seed++) {
      const message = randomMessage(protocol, seed);
      expect(scan(protocol, Buffer.concat([message, Buffer.from([0x80, 0x01, 0xff])]), seed)).toBe(message.length);
      expect(scan(protocol, message.subarray(0, message.length - 1), seed)).toBe(-1);
    }
  });

  test("whatever comes instead of a message ends in its end, a protocol error, or the wait for more", () => {
    for (let seed = 1; seed <= 400; seed++) {
      const random = generator(seed);
      const bytes = Buffer.from(randomMessage(protocol, seed));
      for (let change = 0; change < 4; change++) bytes[random(bytes.length)] = random(256);
      try {
        expect(scan(protocol, bytes, seed)).toBeLessThanOrEqual(bytes.length);
      } catch (error) {
        expect((error as Error).name).toBe("ProtocolError");
      }
    }
  });
});

describe("limits of an unframed message", () => {
  const head = "80010001000000016100000001";
  const compactHead = "8221010161";
  test.each([
    ["binary", `${head}0b00017fffffff`, "a string of 2147483647 bytes is longer than max_string_size"],
    ["binary", `${head}0b0001ffffffff`, "a length of -1"],
    ["binary", "80010001ffffffff", "a length of -1"],
    ["binary", `${head}0f0001027fffffff`, "the message's containers hold more than max_container_size"],
    ["binary", `${head}0d00010c0c00100000`, "the message's containers hold more than max_container_size"],
    ["binary", `${head}${"0c0001".repeat(64)}`, "the message nests deeper than max_depth (64)"],
    ["binary", `${head}630001`, "the type 99 is not known"],
    ["compact", `${compactHead}18ffffffff07`, "a string of 2147483647 bytes is longer than max_string_size"],
    ["compact", `${compactHead}18ffffffff0f`, "a length of 4294967295"],
    ["compact", `${compactHead}19f1ffffffff07`, "the message's containers hold more than max_container_size"],
    ["compact", `${compactHead}16${"ff".repeat(11)}`, "a varint has more than ten bytes"],
    ["compact", `${compactHead}${"1c".repeat(64)}`, "the message nests deeper than max_depth (64)"],
    ["compact", `${compactHead}1e`, "the type 14 is not known"],
  ] as const)("%s %s: %s", (protocol, hex, message) => {
    expect(() => scan(protocol, Buffer.from(hex, "hex"), 1)).toThrow(message);
  });

  test("what can't end within the limit is refused before it comes, and what does not end when it has come", () => {
    const limits = { ...defaultLimits, maxFrameBytes: 1000 };
    expect(() => scan("binary", Buffer.from(`${head}0b000100000400`, "hex"), 1, limits)).toThrow("longer than max_frame_size (1000)");
    expect(() => scan("binary", Buffer.concat([Buffer.from(head, "hex"), Buffer.from("030001ff".repeat(300), "hex")]), 1, limits)).toThrow(
      "longer than max_frame_size (1000)",
    );
  });
});

describe("sniffing", () => {
  const look = (hex: string): unknown => sniff(Buffer.from(hex, "hex"), 0, hex.length / 2, defaultLimits);
  test.each([
    ["80010001", { form: "unframed", protocol: "binary" }],
    ["8221", { form: "unframed", protocol: "compact" }],
    ["000000208001", { form: "framed", protocol: "binary", frameBytes: 32 }],
    ["000000208221", { form: "framed", protocol: "compact", frameBytes: 32 }],
    ["000000200fff", { form: "header", frameBytes: 32 }],
    ["", undefined],
    ["80", undefined],
    ["000000", undefined],
    ["0000002080", undefined],
  ])("%s", (hex, expected) => expect(look(hex)).toEqual(expected));

  test.each([
    ["474554202f20", "expected Thrift, found HTTP"],
    ["504f53542f20", "expected Thrift, found HTTP"],
    ["160301020001", "expected Thrift, found a TLS handshake"],
    ["7fffffff8001", "the frame of 2147483647 bytes is longer than max_frame_size"],
    ["00fa00018001", "the frame of 16384001 bytes is longer than max_frame_size"],
    ["000000038001", "a frame of 3 bytes holds no message"],
    ["000000001234", "a frame of 0 bytes holds no message"],
    ["8002", "expected a strict binary (8001…) or compact (82…) message or a THeader (0fff…), found 8002"],
    ["000000201234", "found 1234"],
  ])("%s: %s", (hex, message) => expect(() => look(hex)).toThrow(message));

  test("every length of a prefix gives the same verdict, or asks for more", () => {
    for (const hex of ["800100010000", "822101016100", "000000208001", "000000200fff", "474554202f20"]) {
      const bytes = Buffer.from(hex, "hex");
      const verdicts = Array.from({ length: 7 }, (_, end) => {
        try {
          return sniff(bytes, 0, end, defaultLimits)?.form;
        } catch {
          return "error";
        }
      });
      expect(new Set(verdicts.filter((each) => each !== undefined)).size).toBe(1);
      expect(verdicts[6]).toBeDefined();
    }
  });
});

describe("THeader frames", () => {
  const payload = Buffer.from("80010001", "hex");

  function frame(headers: Record<string, string>, protocol: ProtocolName = "compact"): Buffer {
    const part = { protocol, flags: 3, sequenceId: -7, headers: new Map(Object.entries(headers)) };
    const bytes = Buffer.alloc(headerPartBytes(part) + payload.length, 0xff);
    const start = writeHeaderPart(bytes, 0, part, payload.length);
    payload.copy(bytes, start);
    expect(start).toBe(headerPartBytes(part));
    return bytes;
  }

  /** What a frame without its length prefix holds. */
  const read = (bytes: Buffer): Record<string, unknown> & { headers: ReadonlyMap<string, string> } => {
    const {
      payload: from,
      payloadStart,
      payloadEnd,
      headers,
      protocol,
      flags,
      sequenceId,
    } = readHeaderFrame(bytes, 0, bytes.length, defaultLimits);
    return { protocol, flags, sequenceId, headers: headers.all, payload: from.subarray(payloadStart, payloadEnd) };
  };

  test.each([{}, { Trace: "123" }, { a: "", b: "x".repeat(300), "Edge-Request": "\u00ff\u0000\u0080" }])(
    "are read as they are written: %j",
    (headers) => {
      const bytes = frame(headers);
      expect(bytes.readUInt32BE(0)).toBe(bytes.length - 4);
      expect(read(bytes.subarray(4))).toEqual({
        protocol: "compact",
        flags: 3,
        sequenceId: -7,
        headers: new Map(Object.entries(headers)),
        payload,
      });
    },
  );

  /** A frame by its parts, in hex: what comes after the sequence id and the size. */
  const raw = (header: string, rest: Buffer): Buffer => {
    const padded = header.padEnd(Math.ceil(header.length / 8) * 8, "0");
    return Buffer.concat([Buffer.from(`0fff000000000001${(padded.length / 8).toString(16).padStart(4, "0")}${padded}`, "hex"), rest]);
  };

  test("zlib is undone, within the limit", () => {
    const bomb = deflateSync(Buffer.alloc(20_000_000));
    expect(read(raw("000101", deflateSync(payload))).payload).toEqual(payload);
    expect(read(raw("00020101", deflateSync(deflateSync(payload)))).payload).toEqual(payload);
    expect(() => read(raw("000101", bomb))).toThrow("the payload can't be inflated: it is more than 16384000 bytes");
    expect(() => read(raw("000101", payload))).toThrow("the payload can't be inflated");
  });

  test("several blocks are one, and what nobody knows ends them", () => {
    expect(read(raw("00000101016101620102016101630164026566", payload)).headers).toEqual(
      new Map([
        ["a", "c"],
        ["d", "ef"],
      ]),
    );
    expect(read(raw("0000020501016101", payload)).headers.size).toBe(0);
  });

  test.each([
    ["0fff0000", "is too short"],
    ["0fff00000000000100ff0000", "the header of 1020 bytes goes on past the frame's end"],
    ["0fff000000000001ffff0000", "the header of 262140 bytes is longer than the limit"],
    ["0fff00000000000100010100000080010001", "the protocol 1 is not known"],
    ["0fff000000000001000100ffffff", "a varint goes on past the end"],
    ["0fff000000000001000100010300", "a count of 1 is more", true],
    ["0fff0000000000010002000001ffffffff7f", "a varint has more than 32 bits"],
    ["0fff0000000000010002000001ffffff7f00", "there are more than 128 headers"],
    ["0fff00000000000100020000010105610000", "a header of 5 bytes goes on past the end"],
  ] as const)("%s: %s", (hex, message, isTransform?: boolean) => {
    const readHex = (): unknown => read(Buffer.from(hex, "hex"));
    if (isTransform === true) expect(readHex).toThrow(UnknownTransformError);
    else expect(readHex).toThrow(message);
  });

  test("a header is found whatever its case, the last one of a name", () => {
    const bytes = raw("000001030161016201410163016400", payload);
    const { headers } = readHeaderFrame(bytes, 0, bytes.length, defaultLimits);
    expect([headers.count, headers.find("a"), headers.find("d"), headers.find("x")]).toEqual([3, "c", "", undefined]);
  });

  test("no more than four transforms are undone", () => {
    const packed = Array.from({ length: 5 }).reduce<Buffer>((bytes) => deflateSync(bytes), payload);
    expect(() => read(raw("00050101010101", packed))).toThrow("there are 5 transforms, at most 4 are undone");
  });

  test("an unknown transform is told", () => {
    expect(() => read(raw("000103", payload))).toThrow(new UnknownTransformError(3));
  });

  test("whatever comes instead ends in a frame or a protocol error", () => {
    const good = frame({ a: "b", c: "d".repeat(100) }).subarray(4);
    for (let seed = 1; seed <= 3000; seed++) {
      const random = generator(seed);
      const bytes = Buffer.from(good.subarray(0, 2 + random(good.length)));
      for (let change = 0; change < 3; change++) bytes[2 + random(bytes.length - 2)] = random(256);
      try {
        read(bytes);
      } catch (error) {
        expect((error as Error).message + (error as Error).name).toMatch(/ProtocolError$|Error$/);
        expect(error).toHaveProperty("name", "ProtocolError");
      }
    }
  });
});

test("varints are read as they are written", () => {
  for (const value of [0, 1, 127, 128, 16_383, 16_384, 2 ** 31, 2 ** 32 - 1]) {
    const bytes = Buffer.alloc(5);
    const end = writeVarint(bytes, 0, value);
    expect([end, new VarintCursor(bytes, 0, end).next()]).toEqual([varintLength(value), value]);
  }
});
