import type { Channel, ChannelModel } from "amqplib";

/** The flags of a message's properties (AMQP 0-9-1, section 4.2.6.1). */
export const propertyFlags = { headers: 0x2000, correlationId: 0x0400, messageId: 0x0080, timestamp: 0x0040 } as const;

/** Publishes a message with one property, whose bytes are written as they are: other clients write what amqplib does not. */
export function publishRaw(
  model: ChannelModel,
  channel: Channel,
  queue: string,
  body: Buffer,
  property: keyof typeof propertyFlags,
  bytes: Buffer,
): void {
  const { ch } = channel as unknown as { readonly ch: number };
  const { stream } = model.connection as unknown as { readonly stream: NodeJS.WritableStream };
  const publish = Buffer.concat([short(60), short(40), short(0), shortString(""), shortString(queue), Buffer.from([0])]);
  const size = Buffer.alloc(8);
  size.writeBigUInt64BE(BigInt(body.length));
  const header = Buffer.concat([short(60), short(0), size, short(propertyFlags[property]), bytes]);
  stream.write(Buffer.concat([frame(1, ch, publish), frame(2, ch, header), frame(3, ch, body)]));
}

export function shortString(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value as string);
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}

/** A table within a table, and so on, each with one field. */
export function nestedTables(depth: number): Buffer {
  const start = Buffer.concat([shortString("a"), Buffer.from("F")]);
  const step = 4 + start.length;
  const bytes = Buffer.alloc(4 + depth * step);
  for (let level = 0; level <= depth; level += 1) {
    bytes.writeUInt32BE((depth - level) * step, level * step);
    if (level < depth) start.copy(bytes, level * step + 4);
  }
  return bytes;
}

/** A table with one field, `true`, of this name. */
export function tableWith(name: Buffer): Buffer {
  const field = Buffer.concat([shortString(name), Buffer.from("t\x01")]);
  return Buffer.concat([long(field.length), field]);
}

function short(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

function long(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function frame(type: number, channel: number, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from([type]), short(channel), long(payload.length), payload, Buffer.from([0xce])]);
}
