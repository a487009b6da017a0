import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { loadService, makeClient, type ClientForm, type ClientOptions, type ThriftClient } from "tsserve/thrift";
import { serve, type Served, type ServeOptions } from "./serve.ts";

/** What is used of Apache's library. */
export interface ApacheProtocol {
  [method: string]: (...values: unknown[]) => unknown;
}
interface Apache {
  readonly TBufferedTransport: new (buffer: undefined, onFlush: (bytes: Buffer) => void) => { flush(): void };
  readonly TBinaryProtocol: new (transport: unknown) => ApacheProtocol;
  readonly TCompactProtocol: new (transport: unknown) => ApacheProtocol;
}
const apache = createRequire(import.meta.url)("thrift") as Apache;

export const bench = loadService(fileURLToPath(new URL("../fixtures/thrift/bench.thrift", import.meta.url)), "Bench");
export const generated = fileURLToPath(new URL("../fixtures/thrift/gen-nodejs/", import.meta.url));

export const forms: readonly ClientForm[] = [
  "header compact",
  "header binary",
  "framed binary",
  "framed compact",
  "unframed binary",
  "unframed compact",
];

/** The two kinds of app. */
export const apps = ["thrift-loaded.js", "thrift-generated.js"] as const;

/** Serves one of the Thrift fixtures; `endpoint` is known when it listens. */
export function serveThrift(options: ServeOptions = {}): Served & { endpoint(): Promise<string> } {
  const served = serve({ app: "thrift-loaded.js", ...options, server: { factory: "tsserve/thrift", ...options.server } });
  return { ...served, endpoint: async () => (await served.listening()).replace(/^thrift:\/\//, "") };
}

export function benchClient(endpoint: string, options: Partial<ClientOptions> = {}): ThriftClient & Disposable {
  const client = makeClient(bench, { endpoint, timeoutMs: 30_000, ...options });
  return { ...client, [Symbol.dispose]: () => client.close() };
}

export const callType = 1;
export const onewayType = 4;

/** A message as Apache's own writers write it; `write` writes its struct's fields, up to their end. */
export function message(
  protocol: "binary" | "compact",
  name: string,
  write: (output: ApacheProtocol) => void = (output) => output["writeFieldStop"]?.(),
  { type = callType, sequenceId = 1 } = {},
): Buffer {
  let bytes = Buffer.alloc(0);
  const transport = new apache.TBufferedTransport(undefined, (all) => (bytes = Buffer.from(all)));
  const output = new apache[protocol === "binary" ? "TBinaryProtocol" : "TCompactProtocol"](transport);
  output["writeMessageBegin"]?.(name, type, sequenceId);
  output["writeStructBegin"]?.("args");
  write(output);
  output["writeStructEnd"]?.();
  output["writeMessageEnd"]?.();
  transport.flush();
  return bytes;
}

export function framed(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** The fields of `add_later(a, b, delay_ms)`. */
export function addLater(a: number, b: number, delayMs: number): (output: ApacheProtocol) => void {
  return (output) => {
    for (const [index, value] of [a, b, delayMs].entries()) {
      output["writeFieldBegin"]?.("", 8, index + 1);
      output["writeI32"]?.(value);
      output["writeFieldEnd"]?.();
    }
    output["writeFieldStop"]?.();
  };
}

/** A payload of some size. */
export function payload(items: number, textLength = 20): Record<string, unknown> {
  return {
    id: -5,
    big: -(2n ** 63n),
    title: "é".repeat(textLength),
    flag: false,
    ratio: 1.5e-7,
    small: -32_768,
    tiny: -128,
    blob: Buffer.from([0, 255, 128]),
    tags: ["", "a".repeat(500)],
    counters: new Map([
      ["x", 2n ** 63n - 1n],
      ["__proto__", 3n],
    ]),
    items: Array.from({ length: items }, (_, id) => ({
      id,
      name: `n${id}`,
      score: id / 3,
      active: id % 2 === 0,
      created_at: BigInt(id) * 2n ** 33n,
    })),
    colour: 3,
  };
}
