import { inflate } from "../envelope.ts";
import type { Parse } from "../message.ts";

/** A class of protobuf messages: of protobufjs and ts-proto (`decode`), or of Bufbuild's (`fromBinary`). */
export type ProtobufType<T> = { decode(bytes: Uint8Array): T } | { fromBinary(bytes: Uint8Array): T };

/**
 * The message in tomodachi's envelope `protobuf_base` (github.com/kalaspuff/tomodachi, tomodachi/envelope/protobuf_base.py): base64
 * of `SNSSQSMessage { 1 service, 2 metadata { …, 5 data_encoding }, 3 data }`. The envelope needs no library; its message
 * is read by the type of the app's own.
 */
export function tomodachiProtobuf<T>(type: ProtobufType<T>): Parse<T> {
  const decode = (bytes: Uint8Array): T => ("decode" in type ? type.decode(bytes) : type.fromBinary(bytes));
  return ({ bytes }) => {
    const envelope = fieldsOf(Buffer.from(bytes.toString("latin1"), "base64"));
    const metadata = fieldsOf(envelope.get(2) ?? Buffer.alloc(0));
    const encoding = metadata.get(5)?.toString() ?? "";
    const data = envelope.get(3) ?? Buffer.alloc(0);
    switch (encoding) {
      case "proto":
      case "raw":
        return decode(data);
      case "base64":
        return decode(Buffer.from(data.toString("latin1"), "base64"));
      case "gzip_proto":
        return decode(inflate(data));
      case "base64_gzip_proto":
        return decode(inflate(Buffer.from(data.toString("latin1"), "base64")));
      default:
        throw new SyntaxError(
          `expected an envelope of tomodachi (protobuf_base), whose data encoding is known, found ${JSON.stringify(encoding.slice(0, 60))}`,
        );
    }
  };
}

/** Kinds of fields on the wire (protobuf.dev/programming-guides/encoding). */
const wireTypes = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** The fields of a message that are bytes, by number; the last one wins, as the format says. @throws {SyntaxError} when it is none */
function fieldsOf(message: Buffer): Map<number, Buffer> {
  const fields = new Map<number, Buffer>();
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 64; shift += 7) {
      const byte = message[at];
      if (byte === undefined) break;
      at += 1;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new SyntaxError("expected a protobuf message, which ends in the middle of a number");
  };
  const take = (length: number): Buffer => {
    if (length > message.length - at) throw new SyntaxError("expected a protobuf message, which ends in the middle of a field");
    at += length;
    return message.subarray(at - length, at);
  };
  while (at < message.length) {
    const tag = varint();
    const wireType = tag % 8;
    if (wireType === wireTypes.bytes) fields.set(Math.floor(tag / 8), take(varint()));
    else if (wireType === wireTypes.varint) varint();
    else if (wireType === wireTypes.fixed64) take(8);
    else if (wireType === wireTypes.fixed32) take(4);
    else throw new SyntaxError(`expected a protobuf message, found a field of the kind ${wireType}`);
  }
  return fields;
}
