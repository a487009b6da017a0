import { describe, expect, test } from "vitest";
import { addHost, makeStreamHeadCheck, type StreamHead } from "./check-stream-head.ts";

const check = makeStreamHeadCheck({ maxHeaderLines: 5, maxHeaderBytes: 300 });

function head(more: Readonly<Record<string, string>>, without: readonly string[] = []): StreamHead {
  const all = { ":method": "GET", ":scheme": "https", ":authority": "localhost:8443", ":path": "/", ...more };
  const headers = Object.fromEntries(Object.entries(all).filter(([name]) => !without.includes(name)));
  const made = { headers, rawHeaders: Object.entries(headers).flat() };
  addHost(made);
  return made;
}

describe("the head of a stream", () => {
  test("has the authority as its host, which is a line like all others", () => {
    const made = head({});
    expect(made.headers["host"]).toBe("localhost:8443");
    expect(made.rawHeaders.slice(-2)).toEqual(["host", "localhost:8443"]);
    expect(check(made)).toBeUndefined();
  });

  test("keeps a host that the client sent", () => {
    const made = head({ host: "localhost:8443" });
    expect(made.rawHeaders.filter((each) => each === "host")).toHaveLength(1);
    expect(check(made)).toBeUndefined();
    expect(check(head({ host: "a.example" }, [":authority"]))).toBeUndefined();
  });

  test.each<[string, StreamHead, number, RegExp]>([
    ["no authority and no host", head({}, [":authority"]), 400, /neither/],
    ["an empty host", head({ host: "" }, [":authority"]), 400, /neither/],
    ["two that differ", head({ host: "b.example" }), 400, /differ/],
    ["an authority with a path", head({ ":authority": "a.example/x" }), 400, /is none/],
    ["an authority with credentials", head({ ":authority": "user@a.example" }), 400, /is none/],
    ["an authority with a port that is none", head({ ":authority": "a.example:99999" }), 400, /is none/],
    ["too many lines", head(Object.fromEntries(Array.from({ length: 5 }, (_, n) => [`x-${n}`, "1"]))), 431, /more than 5/],
    ["too many bytes", head({ "x-large": "x".repeat(300) }), 431, /larger than 300/],
    ["a long path", head({ ":path": `/${"x".repeat(300)}` }), 431, /larger than 300/],
  ])("with %s is refused", (_what, made, status, message) => {
    const refusal = check(made);
    expect([refusal?.status, refusal?.message]).toEqual([status, expect.stringMatching(message)]);
  });

  test("may have as many lines as HTTP/1's: pseudo-headers are none", () => {
    const lines = Object.fromEntries(Array.from({ length: 4 }, (_, n) => [`x-${n}`, "1"]));
    expect(check(head(lines))).toBeUndefined();
  });
});
