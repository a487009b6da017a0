import type { Logger } from "pino";
import type { Writer } from "../codec/codec.ts";
import { BinaryWriter } from "../protocol/binary-writer.ts";
import { CompactWriter } from "../protocol/compact-writer.ts";
import { OutputSlab } from "../transport/output-slab.ts";
import type { Headers } from "../wire/header-blocks.ts";
import { headerPartBytes, mostHeaderPartBytes, writeHeaderPart } from "../wire/header-frame.ts";
import type { ThriftRequest } from "./thrift-request.ts";

/** The length, the 10 fixed bytes, and one word with the protocol's id and no transforms. */
const plainHeaderBytes = 18;

/** Writes replies into the slab, each wrapped as its request was, and hands them to their connections in order. */
export class Replies {
  readonly slab: OutputSlab = new OutputSlab();
  /** Whether THeader clients are told to go elsewhere. */
  isDraining = false;
  private readonly log: Logger;
  private readonly binaryWriter = new BinaryWriter();
  private readonly compactWriter = new CompactWriter();
  /** Where the reply that is being written begins. */
  private start = 0;

  constructor(log: Logger) {
    this.log = log;
  }

  writerOf(request: ThriftRequest): Writer {
    return request.protocol === "binary" ? this.binaryWriter : this.compactWriter;
  }

  /** Makes the writer begin, or begin anew, after the room for what comes before the message. */
  begin(request: ThriftRequest): Writer {
    const writer = this.writerOf(request);
    this.start = this.slab.begin();
    writer.reset(this.slab.bytes, this.start);
    const prefix = this.prefixBytes(request);
    writer.reserve(prefix);
    writer.position += prefix;
    return writer;
  }

  private prefixBytes(request: ThriftRequest): number {
    if (request.form === "framed") return 4;
    if (request.form === "unframed") return 0;
    // Says to clients that look at headers that this connection is about to end.
    if (this.isDraining) request.responseHeaders.set("Connection", "close");
    const headers = this.headersOf(request);
    return headers === undefined ? plainHeaderBytes : headerPartBytes({ headers });
  }

  /** What the handler has set; what is no text is made one, and more than the format has room for is left out. */
  private headersOf(request: ThriftRequest): Headers | undefined {
    const headers = request.setResponseHeaders;
    if (headers === undefined || headers.size === 0) return undefined;
    for (const [name, value] of headers) if (typeof value !== "string") headers.set(name, String(value));
    if (headerPartBytes({ headers }) <= mostHeaderPartBytes) return headers;
    this.log.error({ method: request.method }, "the headers of the answer are too long: left out");
    headers.clear();
    return undefined;
  }

  /** The message has been written: it is sent, or kept until it is its turn. */
  end(request: ThriftRequest): void {
    const { start, slab } = this;
    const { bytes, position: end } = this.writerOf(request);
    if (request.form === "framed") writeI32(bytes, start, end - start - 4);
    else if (request.form === "header") writeHeader(request, bytes, start, end);
    const { connection, order, isOrdered } = request;
    if (isOrdered && !connection.isDue(order)) {
      connection.hold(order, Buffer.from(bytes.subarray(start, end)));
      return;
    }
    slab.end(bytes, end);
    connection.send(bytes, start, end, isOrdered);
  }
}

function writeI32(bytes: Buffer, position: number, value: number): void {
  bytes[position] = value >> 24;
  bytes[position + 1] = value >> 16;
  bytes[position + 2] = value >> 8;
  bytes[position + 3] = value;
}

function writeHeader(request: ThriftRequest, bytes: Buffer, start: number, end: number): void {
  const { protocol, headerFlags: flags, headerSequenceId: sequenceId, setResponseHeaders: headers } = request;
  if (headers !== undefined && headers.size > 0) {
    writeHeaderPart(bytes, start, { protocol, flags, sequenceId, headers }, end - start - headerPartBytes({ headers }));
    return;
  }
  writeI32(bytes, start, end - start - 4);
  bytes[start + 4] = 0x0f;
  bytes[start + 5] = 0xff;
  bytes[start + 6] = flags >> 8;
  bytes[start + 7] = flags;
  writeI32(bytes, start + 8, sequenceId);
  bytes[start + 12] = 0;
  bytes[start + 13] = 1;
  bytes[start + 14] = protocol === "binary" ? 0 : 2;
  bytes[start + 15] = 0;
  bytes[start + 16] = 0;
  bytes[start + 17] = 0;
}
