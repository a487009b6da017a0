import { endpoint, formatEndpoint } from "@tsserve/config";
import { describe, expect, test } from "vitest";
import { withoutOverlap } from "./without-overlap.ts";

describe("endpoints that would exclude each other", () => {
  test.each([
    [["0.0.0.0:80", "[::]:80"], [":80"]],
    [["[::]:80", "0.0.0.0:80", "127.0.0.1:80"], [":80"]],
    [[":80", "127.0.0.1:80", "[::1]:80", "0.0.0.0:80"], [":80"]],
    [["127.0.0.1:80", ":80"], [":80"]],
    [
      ["0.0.0.0:80", "10.0.0.1:80", "[::1]:80"],
      ["0.0.0.0:80", "[::1]:80"],
    ],
    [["[::]:80", "10.0.0.1:80"], ["[::]:80"]],
    [["127.0.0.1:80", "127.0.0.1:80"], ["127.0.0.1:80"]],
    [
      ["/run/a.sock", "/run/a.sock", "/run/b.sock"],
      ["/run/a.sock", "/run/b.sock"],
    ],
  ])("%j are %j", (written, kept) => {
    expect(withoutOverlap(written.map((text) => endpoint(text))).map(formatEndpoint)).toEqual(kept);
  });

  test.each([
    [["0.0.0.0:80", "[::]:81"]],
    [["127.0.0.1:80", "[::1]:80", "127.0.0.1:81"]],
    [["127.0.0.1:0", "127.0.0.1:0"]],
    [["localhost:80", "10.0.0.1:80"]],
    [[":80", ":81", "/run/a.sock"]],
  ])("%j do not", (written) => {
    expect(withoutOverlap(written.map((text) => endpoint(text))).map(formatEndpoint)).toEqual(written);
  });
});
