import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { Masker } from "@tsserve/config";
import { describe, expect, test } from "vitest";
import { recordFields } from "./access-line.ts";
import { recordOf } from "./access-record.ts";
import type { Connection } from "./connection.ts";
import { HttpRequest } from "./http-request.ts";
import { milliseconds, RequestLine, type Cleaner } from "./request-line.ts";

/** One of a list, drawn by a seed. */
function drawer(seed: number): <T>(list: readonly T[]) => T {
  let state = seed * 2_654_435_761 + 1;
  return (list) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return list[(state >>> 8) % list.length] as (typeof list)[number];
  };
}

const texts = [
  "",
  "plain",
  'a "quoted" text',
  "back\\slash",
  "\u001b[31m",
  "ü\u0085",
  "hunter2hunter2",
  "x".repeat(600),
  "Mozilla/5.0 (X11)",
];
const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

function draw(seed: number): HttpRequest {
  const one = drawer(seed);
  const incoming = new IncomingMessage(new Socket());
  Object.defineProperty(incoming.socket, "remoteAddress", { value: one(["127.0.0.1", "::ffff:10.0.0.1", "2001:db8::1"]) });
  incoming.httpVersionMajor = 1;
  incoming.httpVersion = one(["1.0", "1.1"]);
  incoming.method = one(["GET", "POST", "QUERY"]);
  incoming.url = one(["/", "/users/7?a=b", "/hunter2hunter2", "/%C3%BC ü", "*", "?", "", `/${"long/".repeat(80)}`]);
  const lines = [
    [one(["Host", "host", "HOST"]), one(texts)],
    ["Host", "second.example"],
    ["user-agent", one(texts)],
    ["Referer", one(["https://shop.example/cart?token=1", "https://me:hunter2@shop.example/", "nonsense"])],
    ["traceparent", traceparent],
    ["X-Trace", "hunter2hunter2"],
    ["X-Span", "7"],
  ].filter(() => one([true, true, false]));
  const raw = lines.flat();
  (incoming as unknown as { _addHeaderLines(raw: string[], count: number): void })._addHeaderLines(raw, raw.length);
  const response = one([
    { writableFinished: true, headersSent: true, statusCode: one([200, 204, 404, 413, 500]), _contentLength: one([0, 17]), _hasBody: true },
    {
      writableFinished: false,
      headersSent: one([true, false]),
      statusCode: 200,
      _contentLength: null,
      _hasBody: true,
      _header: "HTTP/1.1",
    },
    undefined,
  ]);
  const connection = { socket: incoming.socket, lastAnswerBytes: one([0, 230]) } as unknown as Connection;
  const request = new HttpRequest(incoming, response as HttpRequest["response"], connection, 1000);
  request.route = one([undefined, "/users/:id", "/", "/ü/:id"]);
  if (one([true, false, false])) request.upstreamId = one(["0190-abc", "hunter2hunter2", 'ü"\n']);
  if (one([true, false, false])) request.id = "hunter2hunter2";
  if (one([true, false, false, false])) request.refusal = { status: 400, reason: "parse", message: 'a "bad" head hunter2hunter2' };
  return request;
}

/** As the log's sink cleans. */
function cleaner(masker: Masker): Cleaner {
  return {
    clean: (part) => masker.mask(part).replaceAll(/[\u007f-\u009f]/g, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`),
    mayMask: (word) => masker.mayMask(word),
    get revision() {
      return masker.revision;
    },
  };
}

describe("what a line says of a request", () => {
  test("is what its record says, cleaned, whatever came before it", () => {
    const masker = new Masker();
    masker.learn(["hunter2hunter2"]);
    const { clean } = cleaner(masker);
    const line = new RequestLine("1M", cleaner(masker));
    for (let seed = 0; seed < 3000; seed++) {
      const request = draw(seed);
      const endedAt = 1000 + (seed % 5000) / 997;
      const fields = line.fieldsOf(request, endedAt);
      expect(fields).toBe(clean(recordFields(recordOf(request, endedAt, "1M"))));
      expect(fields).not.toContain("hunter2hunter2");
      JSON.parse(`{${fields.slice(1)}}`);
    }
  });

  test("holds no secret that was learned after it was composed once", () => {
    const masker = new Masker();
    const line = new RequestLine("1M", cleaner(masker));
    const say = (): string => {
      const request = draw(0);
      (request as { url: string }).url = "/orders/topsecret-9";
      request.refusal = undefined;
      return line.fieldsOf(request, 1001);
    };
    expect(say()).toContain("topsecret-9");
    masker.learn(["topsecret-9"]);
    expect(say()).not.toContain("topsecret-9");
  });

  test("is right beyond what is remembered", () => {
    const line = new RequestLine("1M", cleaner(new Masker()));
    for (let n = 0; n < 3000; n++) {
      const request = draw(0);
      request.refusal = undefined;
      (request as { url: string }).url = `/users/${n % 1700}`;
      expect(line.fieldsOf(request, 1001)).toContain(`"path":"/users/${n % 1700}"`);
    }
  });
});

test("milliseconds are written as JSON writes them, in thousandths", () => {
  const some = [0, 0.0004, 0.0005, 0.001, 0.1, 0.125, 0.9996, 1, 9.99, 12.3456, 1000, 86_400_000.123, -0.5, 1e14, 1e300];
  for (let n = 0; n < 5000; n++) some.push(n / 7, n / 1000);
  for (const ms of some) expect(milliseconds(ms)).toBe(JSON.stringify(Math.round(ms * 1000) / 1000));
});
