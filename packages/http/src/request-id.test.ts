import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { Connection } from "./connection.ts";
import { HttpRequest } from "./http-request.ts";
import { makeIdentify, type IdReading } from "./request-id.ts";

interface Case {
  readonly lines: readonly (readonly [string, string])[];
  readonly trusted?: boolean;
  readonly app?: IdReading;
  readonly header?: string;
}

function identified({ lines, trusted = false, app = "framework", header = "X-Request-Id" }: Case): HttpRequest {
  const socket = new Socket();
  const incoming = new IncomingMessage(socket);
  // As Node's parser hands over what it has read.
  (incoming as unknown as { _addHeaderLines(raw: string[], count: number): void })._addHeaderLines(lines.flat(), lines.length * 2);
  const request = new HttpRequest(incoming, undefined, new Connection(socket, 0), 0);
  makeIdentify({ header, trustsPeer: () => trusted, app })(request);
  return request;
}

/** What an app reads, by each of its ways. */
const shown = ({ incoming }: HttpRequest, name = "x-request-id"): unknown[] => [
  incoming.headers[name],
  incoming.headersDistinct[name],
  incoming.rawHeaders.filter((_, n) => incoming.rawHeaders[n - (n % 2)]?.toLowerCase() === name && n % 2 === 1),
];

describe("the id of a request", () => {
  test.each(["a", "7", "01HV-abc.def_9", "x".repeat(128)])("is a believed proxy's: %s", (told) => {
    const request = identified({ lines: [["x-request-ID", told]], trusted: true });
    expect([request.id, request.upstreamId, ...shown(request)]).toEqual([told, told, told, [told], [told]]);
  });

  test.each([
    ["of a stranger", [["X-Request-Id", "good"]], false],
    ["empty", [["X-Request-Id", ""]], true],
    ["too long", [["X-Request-Id", "x".repeat(129)]], true],
    ["with a blank", [["X-Request-Id", "a b"]], true],
    ["with a quote", [["X-Request-Id", 'a"b']], true],
    ["of more than ASCII", [["X-Request-Id", "\xe4"]], true],
    [
      "told twice",
      [
        ["X-Request-Id", "one"],
        ["x-request-id", "two"],
      ],
      true,
    ],
  ] as const)("is our own for one that is %s, and the app sees no other", (_, lines, trusted) => {
    const request = identified({ lines: [["Host", "a"], ...lines, ["Accept", "b"]], trusted });
    expect(lines.map(([, told]) => told)).not.toContain(request.id);
    expect(shown(request)).toEqual([request.id, [request.id], [request.id]]);
    expect(request.incoming.rawHeaders).toEqual(["Host", "a", "Accept", "b", "X-Request-Id", request.id]);
  });

  test("is shown to an app that has no other way to learn it", () => {
    const request = identified({ lines: [["Host", "a"]], app: "headers" });
    expect(shown(request)).toEqual([request.id, [request.id], [request.id]]);
    expect(identified({ lines: [["Host", "a"]] }).incoming.rawHeaders).toEqual(["Host", "a"]);
  });

  test("stands in the header that the settings name, and others are left alone", () => {
    const request = identified({
      lines: [
        ["X-Request-Id", "other"],
        ["CF-Ray", "8f1-AMS"],
      ],
      trusted: true,
      header: "CF-Ray",
    });
    expect([request.id, request.incoming.headers["x-request-id"]]).toEqual(["8f1-AMS", "other"]);
  });

  test("is left to an app that takes what clients say, whose framework then tells it", () => {
    const request = identified({ lines: [["X-Request-Id", "mine"]], app: "clients" });
    expect(shown(request)).toEqual(["mine", ["mine"], ["mine"]]);
    expect(request.id).not.toBe("mine");
  });

  test("of two requests differs", () => {
    const ids = Array.from({ length: 100 }, () => identified({ lines: [] }).id);
    expect(new Set(ids).size).toBe(100);
  });
});
