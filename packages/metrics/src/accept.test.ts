import { describe, expect, test } from "vitest";
import { acceptsGzip, formOf } from "./accept.ts";

const prometheus =
  "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";

describe("the form that a scraper wants", () => {
  test.each([
    [undefined, "prometheus 0.0.4"],
    ["", "prometheus 0.0.4"],
    ["*/*", "prometheus 0.0.4"],
    ["text/plain", "prometheus 0.0.4"],
    ["application/json", "prometheus 0.0.4"],
    [prometheus, "openmetrics 1.0.0"],
    ["application/openmetrics-text", "openmetrics 1.0.0"],
    ["Application/OpenMetrics-Text; Version=1.0.0", "openmetrics 1.0.0"],
    ['application/openmetrics-text; version="1.0.0"; note="a,b;q=0"', "openmetrics 1.0.0"],
    ["application/openmetrics-text;version=0.0.1", "openmetrics 0.0.1"],
    ["application/openmetrics-text;version=2.0.0", "prometheus 0.0.4"],
    ["application/openmetrics-text;q=0", "prometheus 0.0.4"],
    ["application/openmetrics-text;q=0, */*", "prometheus 0.0.4"],
    ["application/openmetrics-text;q=0.3,text/plain;q=0.5", "prometheus 0.0.4"],
    ["application/openmetrics-text;q=0.5;version=1.0.0, text/plain ; q=0.3", "openmetrics 1.0.0"],
    ["text/plain;q=0.5,application/openmetrics-text;Q=0.5", "openmetrics 1.0.0"],
    ["text/*;q=0.9,application/openmetrics-text;q=0.8", "prometheus 0.0.4"],
    ["application/*;q=0.9,text/plain;q=0.1", "prometheus 0.0.4"],
    ["application/openmetrics-text;q=oops", "prometheus 0.0.4"],
    ["application/openmetrics-text;version=1.0.0,text/plain;q=0.5", "openmetrics 1.0.0"],
  ])("%s: %s", (accept, expected) => {
    const { format, version } = formOf(accept);
    expect(`${format} ${version}`).toBe(expected);
  });

  test.each([
    [undefined, false],
    ["gzip", true],
    ["GZIP;q=0.5", true],
    ["deflate, x-gzip", true],
    ["gzip;q=0", false],
    ["gzip;q=0.0, *", false],
    ["br, *", true],
    ["identity", false],
    ["*;q=0", false],
  ])("gzip: %s: %s", (accepted, expected) => expect(acceptsGzip(accepted)).toBe(expected));
});
