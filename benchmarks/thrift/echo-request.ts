import { fileURLToPath } from "node:url";
import { BinaryWriter } from "../../packages/thrift/src/protocol/binary-writer.ts";
import { CompactWriter } from "../../packages/thrift/src/protocol/compact-writer.ts";
import { messageTypes } from "../../packages/thrift/src/protocol/reading.ts";
import { loadService } from "../../packages/thrift/src/service/load-service.ts";
import { headerPartBytes, writeHeaderPart } from "../../packages/thrift/src/wire/header-frame.ts";
import type { ProtocolName } from "../../packages/thrift/src/wire/types.ts";

export type RequestForm = `${"framed" | "unframed" | "header"} ${ProtocolName}`;

/** The 1.4 kB struct: 20 items, 5 tags. */
export const payload = {
  id: 4711,
  big: 2n ** 53n + 1n,
  title: "The quick brown fox jumps over the lazy dog",
  flag: true,
  ratio: 2.5066282746310002,
  small: -1234,
  tiny: 77,
  blob: Buffer.from(Array.from({ length: 64 }, (_, index) => index)),
  tags: ["alpha", "beta", "gamma", "delta", "epsilon"],
  counters: new Map([
    ["requests", 123456789n],
    ["errors", 42n],
    ["retries", 7n],
    ["bytes", 9876543210n],
  ]),
  items: Array.from({ length: 20 }, (_, index) => ({
    id: index,
    name: `item-number-${index}`,
    score: index * 1.25,
    active: index % 2 === 0,
    created_at: 1700000000000n + BigInt(index),
  })),
  colour: 2,
};

/** What baseplate's clients send with each request. */
const headers = new Map([
  ["Trace", "1234567890123456789"],
  ["Parent", "2345678901234567890"],
  ["Span", "3456789012345678901"],
  ["Sampled", "1"],
  ["Flags", "0"],
  ["Edge-Request", "\u0001\u0002\u0003".repeat(20)],
  ["User-Agent", "benchmark-client"],
]);

/** The bytes of a call of `echo`. */
export function echoRequest(form: RequestForm): Buffer {
  const [wrapped, protocol] = form.split(" ") as ["framed" | "unframed" | "header", ProtocolName];
  const service = loadService(fileURLToPath(new URL("../../test/fixtures/thrift/bench.thrift", import.meta.url)), "Bench");
  const writer = protocol === "binary" ? new BinaryWriter() : new CompactWriter();
  writer.reset(Buffer.alloc(4096), 0);
  writer.writeMessageBegin("echo", messageTypes.call, 1);
  service.codecs[protocol].get("echo")?.writeArguments(writer, [payload]);
  const message = Buffer.from(writer.bytes.subarray(0, writer.position));
  if (wrapped === "unframed") return message;
  const prefix = Buffer.alloc(wrapped === "framed" ? 4 : headerPartBytes({ headers }));
  if (wrapped === "framed") prefix.writeUInt32BE(message.length);
  else writeHeaderPart(prefix, 0, { protocol, flags: 0, sequenceId: 1, headers }, message.length);
  return Buffer.concat([prefix, message]);
}
