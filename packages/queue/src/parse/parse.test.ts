import { deflateSync } from "node:zlib";
import { expect, test } from "vitest";
import type { Parse, UnparsedMessage } from "../message.ts";
import { bytes } from "./bytes.ts";
import { json } from "./json.ts";
import { text } from "./text.ts";
import { tomodachiEnvelope, tomodachiJson } from "./tomodachi-json.ts";
import { tomodachiProtobuf } from "./tomodachi-protobuf.ts";

const parsed = (parse: Parse, body: string | Buffer): unknown => parse({ bytes: Buffer.from(body) } as unknown as UnparsedMessage);

test("bodies are what they say, or unparseable", () => {
  expect(parsed(json, '{"a":"ä"}')).toEqual({ a: "ä" });
  expect(parsed(json, '\uFEFF{"a":"ä"}')).toEqual({ a: "ä" });
  expect(parsed(text, "ä\0")).toBe("ä\0");
  expect(parsed(bytes, Buffer.from([0, 255]))).toEqual(Buffer.from([0, 255]));
  for (const [parse, body] of [
    [json, ""],
    [json, "{"],
    [json, "\uFEFF"],
    [json, "\uFEFF\uFEFF{}"],
    [json, Buffer.from([0x22, 0xff, 0x22])],
    [text, Buffer.from([0xff])],
  ] as const)
    expect(() => parsed(parse, body)).toThrow();
});

const metadata = { protocol_version: "tomodachi-json-base--1.0.0", data_encoding: "raw" };

test("tomodachi's envelope gives its data, compressed or not", () => {
  const data = { a: [1, "ä"] };
  const compressed = deflateSync(JSON.stringify(data)).toString("base64");
  expect(parsed(tomodachiJson, JSON.stringify({ service: {}, metadata, data }))).toEqual(data);
  expect(parsed(tomodachiJson, JSON.stringify({ metadata: { ...metadata, data_encoding: "base64_gzip_json" }, data: compressed }))).toEqual(
    data,
  );
  expect(parsed(tomodachiJson, JSON.stringify(tomodachiEnvelope(data, "order.new", "shop")))).toEqual(data);
  const wrong = [
    {},
    null,
    [],
    { data },
    { metadata: {}, data },
    { metadata: { ...metadata, protocol_version: "other" }, data },
    { metadata: { ...metadata, data_encoding: "base64_gzip_json" }, data: "no zlib" },
    { metadata: { ...metadata, data_encoding: "base64_gzip_json" }, data: 7 },
    { metadata: { ...metadata, data_encoding: "rot13" }, data },
  ];
  for (const each of wrong) expect(() => parsed(tomodachiJson, JSON.stringify(each)), JSON.stringify(each)).toThrow();
});

const field = (number: number, content: Buffer): Buffer => {
  const length = content.length;
  const size = length < 128 ? [length] : [(length & 0x7f) | 0x80, length >> 7];
  return Buffer.concat([Buffer.from([number * 8 + 2, ...size]), content]);
};

test("tomodachi's envelope of protobuf gives what the app's type makes of it", () => {
  const type = { decode: (given: Uint8Array): string => Buffer.from(given).toString() };
  const double = Buffer.concat([Buffer.from([3 * 8 + 1]), Buffer.alloc(8)]);
  const envelope = (encoding: string, data: Buffer): Buffer => {
    const meta = Buffer.concat([field(1, Buffer.from("id")), double, field(5, Buffer.from(encoding))]);
    return Buffer.concat([field(1, field(1, Buffer.from("shop"))), field(2, meta), field(3, data)]);
  };
  const base64 = (data: Buffer): Buffer => Buffer.from(data.toString("base64"));
  const plain = Buffer.from("hello".repeat(50));
  const cases: [string, Buffer][] = [
    ["proto", plain],
    ["raw", plain],
    ["base64", base64(plain)],
    ["gzip_proto", deflateSync(plain)],
    ["base64_gzip_proto", base64(deflateSync(plain))],
  ];
  for (const [encoding, data] of cases)
    expect(parsed(tomodachiProtobuf(type), envelope(encoding, data).toString("base64")), encoding).toBe(plain.toString());
  expect(parsed(tomodachiProtobuf({ fromBinary: type.decode }), envelope("proto", plain).toString("base64"))).toBe(plain.toString());
  for (const wrong of ["", "hello", envelope("rot13", plain).toString("base64")])
    expect(() => parsed(tomodachiProtobuf(type), wrong)).toThrow(SyntaxError);
});
