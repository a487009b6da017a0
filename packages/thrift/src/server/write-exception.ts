import type { Writer } from "../codec/codec.ts";
import { messageTypes } from "../protocol/reading.ts";
import { wireTypes } from "../wire/types.ts";

/** Writes a whole message with a `TApplicationException`: field 1 its message, field 2 its type. */
export function writeException(writer: Writer, name: string, sequenceId: number, type: number, message: string): void {
  writer.writeMessageBegin(name, messageTypes.exception, sequenceId);
  writer.writeStructBegin();
  writer.writeFieldBegin("message", wireTypes.string, 1);
  writer.writeString(message);
  writer.writeFieldBegin("type", wireTypes.i32, 2);
  writer.writeI32(type);
  writer.writeFieldStop();
  writer.writeStructEnd();
}
