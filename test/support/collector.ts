import type { IncomingMessage } from "node:http";
import { receive, type Answer } from "./receiver.ts";

/** A span as a collector gets it, ids in hexadecimal. */
export interface CollectedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string;
  readonly name: string;
  /** 1 internal, 2 server, 3 client, 5 consumer. */
  readonly kind: number;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  /** 2 for an error. */
  readonly status: number;
  /** Why it failed. */
  readonly message: string;
  readonly ms: number;
  readonly service: string;
}

export interface Collector extends AsyncDisposable {
  /** For `tracing.endpoint`. */
  readonly url: string;
  readonly spans: CollectedSpan[];
  readonly requests: IncomingMessage[];
}

/** A collector of OTLP over HTTP that keeps what it gets. */
export async function collect(answer: Answer = "takes"): Promise<Collector> {
  const spans: CollectedSpan[] = [];
  const { port, requests, ...disposable } = await receive({ answer, refusal: 400, taken: (body) => void spans.push(...spansOf(body)) });
  return { url: `http://127.0.0.1:${port}`, spans, requests, ...disposable };
}

type Field = readonly [number: number, value: Buffer | bigint];

/** The fields of a protobuf message: protobuf.dev/programming-guides/encoding. */
function* fieldsOf(bytes: Buffer): Generator<Field> {
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes.readUInt8(at++);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const number = Number(tag >> 3n);
    const wire = Number(tag & 7n);
    if (wire === 0) yield [number, varint()];
    else if (wire === 1) {
      yield [number, bytes.readBigUInt64LE(at)];
      at += 8;
    } else if (wire === 2) {
      const length = Number(varint());
      yield [number, bytes.subarray(at, at + length)];
      at += length;
    } else {
      yield [number, BigInt(bytes.readUInt32LE(at))];
      at += 4;
    }
  }
}

function all(bytes: Buffer, number: number): Buffer[] {
  return [...fieldsOf(bytes)].filter(([each]) => each === number).map(([, value]) => value as Buffer);
}

function one(bytes: Buffer, number: number): Buffer | bigint | undefined {
  return [...fieldsOf(bytes)].find(([each]) => each === number)?.[1];
}

const text = (value: Buffer | bigint | undefined): string => (Buffer.isBuffer(value) ? value.toString() : "");
const hex = (value: Buffer | bigint | undefined): string => (Buffer.isBuffer(value) ? value.toString("hex") : "");

/** `ExportTraceServiceRequest` of opentelemetry-proto's trace_service.proto. */
function spansOf(bytes: Buffer): CollectedSpan[] {
  return all(bytes, 1).flatMap((ofResource) => {
    const [resource = Buffer.alloc(0)] = all(ofResource, 1);
    const service = String(attributesOf(all(resource, 1))["service.name"]);
    return all(ofResource, 2)
      .flatMap((scope) => all(scope, 2))
      .map((span) => ({
        traceId: hex(one(span, 1)),
        spanId: hex(one(span, 2)),
        parentId: hex(one(span, 4)),
        name: text(one(span, 5)),
        kind: Number(one(span, 6)),
        ms: Number((one(span, 8) as bigint) - (one(span, 7) as bigint)) / 1e6,
        attributes: attributesOf(all(span, 9)),
        status: Number(all(span, 15).map((status) => one(status, 3) ?? 0n)[0] ?? 0n),
        message: text(all(span, 15).map((status) => one(status, 2))[0]),
        service,
      }));
  });
}

function attributesOf(pairs: readonly Buffer[]): Record<string, string | number | boolean> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const value = one(pair, 2);
      const [number, found] = Buffer.isBuffer(value) ? ([...fieldsOf(value)][0] ?? [0, 0n]) : [0, 0n];
      return [text(one(pair, 1)), number === 2 ? found === 1n : Buffer.isBuffer(found) ? found.toString() : Number(found)];
    }),
  );
}
