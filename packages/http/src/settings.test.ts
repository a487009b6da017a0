import { isConfigurationError } from "@tsserve/config";
import { describe, expect, test } from "vitest";
import { httpSettings as settingsOf, type HttpSettings } from "./settings.ts";

/** Of a section that says whose it is, as each has to. */
function httpSettings(raw: Readonly<Record<string, string>>): HttpSettings {
  return settingsOf({ factory: "tsserve/http", ...raw });
}

function problemOf(raw: Readonly<Record<string, string>>): string {
  try {
    httpSettings(raw);
  } catch (error) {
    if (isConfigurationError(error)) return error.message;
    throw error;
  }
  return "none";
}

test("nothing that is written gives the defaults", () => {
  expect(httpSettings({})).toEqual({
    proxyVersions: undefined,
    requestIdHeader: "X-Request-Id",
    tls: expect.anything() as unknown,
    http2: { isOn: false, maxStreams: 100 },
    keepAliveTimeoutMs: 75_000,
    headerTimeoutMs: 30_000,
    requestTimeoutMs: 120_000,
    clientMaxBytes: 1024 ** 2,
    clientMaxSize: "1M",
    maxHeaderBytes: 16 * 1024,
    maxHeaderLines: 100,
    maxConcurrency: 10_000,
    maxActiveRequests: 0,
    rotation: { maxRequests: 0, maxAgeMs: 0, jitter: 0.1 },
    handler: undefined,
    health: true,
    errors: undefined,
    contentType: undefined,
    serverHeader: undefined,
    accessLog: { path: undefined, format: "json", exclude: [expect.objectContaining({ isProbes: true })], sample: 1, slowMs: 1000 },
    drainTimeMs: 0,
    closeWebSocketsOverMs: undefined,
    proxies: { header: "x-forwarded-for", from: [], count: undefined },
  });
});

describe("what is written", () => {
  test.each([
    [{ keepalive_timeout: "5" }, { keepAliveTimeoutMs: 5000 }],
    [{ keepalive_timeout: "1 day" }, { keepAliveTimeoutMs: 86_400_000 }],
    [{ client_max_size: "512K" }, { clientMaxBytes: 524_288, clientMaxSize: "512K" }],
    [{ max_active_requests: "3" }, { maxActiveRequests: 3 }],
    [{ request_id_header: "" }, { requestIdHeader: undefined }],
    [{ request_id_header: "false" }, { requestIdHeader: undefined }],
    [{ request_id_header: "X-Trace" }, { requestIdHeader: "X-Trace" }],
    [{ access_log: "false" }, { accessLog: undefined }],
    [{ access_log: "./access.log" }, { accessLog: expect.objectContaining({ path: "./access.log" }) as unknown }],
    [{ "access_log.sample": "1%" }, { accessLog: expect.objectContaining({ sample: 0.01 }) as unknown }],
    [
      { real_ip_header: "CF-Connecting-IP", real_ip_from: "loopback, 10.0.0.0/8" },
      { proxies: { header: "cf-connecting-ip", from: ["loopback", "10.0.0.0/8"], count: undefined } },
    ],
    [{ trust_proxy: "loopback" }, { proxies: { header: "x-forwarded-for", from: ["loopback"], count: undefined } }],
    [{ trusted_proxy_count: "2" }, { proxies: { header: "x-forwarded-for", from: [], count: 2 } }],
    [{ proxy_protocol: "v1", real_ip_from: "loopback" }, { proxyVersions: { v1: true, v2: false } }],
    [{ proxy_protocol: "auto", real_ip_from: "loopback" }, { proxyVersions: { v1: true, v2: true } }],
    [{ proxy_protocol: "off" }, { proxyVersions: undefined }],
    [
      { max_keepalive_requests: "100", max_keepalive_time: "5 minutes", keepalive_jitter: "0%" },
      { rotation: { maxRequests: 100, maxAgeMs: 300_000, jitter: 0 } },
    ],
    [{ http2: "true", "http2.max_streams": "7" }, { http2: { isOn: true, maxStreams: 7 } }],
    [{ "websocket.close_over": "0" }, { closeWebSocketsOverMs: 0 }],
    [{ drain_time: "3 seconds" }, { drainTimeMs: 3000 }],
    [
      { header_timeout: "10", request_timeout: "10" },
      { headerTimeoutMs: 10_000, requestTimeoutMs: 10_000 },
    ],
  ] as const)("%j", (raw, expected) => {
    expect(httpSettings(raw as Readonly<Record<string, string>>)).toMatchObject(expected);
  });
});

describe("what can't be", () => {
  test.each([
    [{ header_timeout: "11", request_timeout: "10" }, /header_timeout.*expected at most request_timeout \(10000 ms\)/],
    [{ header_timeout: "121" }, /header_timeout.*expected at most request_timeout \(120000 ms\)/],
    [{ trust_proxy: "loopback", real_ip_from: "loopback" }, /trust_proxy.*the old name of real_ip_from/],
    [{ proxy_protocol: "v2" }, /proxy_protocol.*expected real_ip_from beside it/],
    [{ proxy_protocol: "v3", real_ip_from: "loopback" }, /proxy_protocol/],
    [{ keepalive_timeout: "0" }, /keepalive_timeout.*expected more than 0/],
    [{ header_timeout: "0" }, /header_timeout.*expected more than 0/],
    [{ max_concurrency: "0" }, /max_concurrency.*expected more than 0/],
    [{ max_active_requests: "-1" }, /max_active_requests.*expected 0 or more, found -1/],
    [{ client_max_size: "0" }, /client_max_size.*expected more than 0/],
    [{ client_max_size: "1 MB!" }, /client_max_size.*expected a size/],
    [{ keepalive_jitter: "101%" }, /keepalive_jitter.*expected a percentage/],
    [{ real_ip_header: "X Forwarded" }, /real_ip_header.*expected the name of a header/],
    [{ request_id_header: "a:b" }, /request_id_header.*expected the name of a header/],
    [{ server_header: "a\u00e4" }, /server_header.*visible ASCII/],
    [{ content_type: "text/plain\u0007" }, /content_type.*visible ASCII/],
    [{ access_log: "no" }, /access_log.*expected true, false, or the path of a file/],
    [{ "access_log.format": "xml" }, /access_log\.format/],
    [{ "access_log.exclude": "static" }, /access_log\.exclude.*expected paths such as/],
    [{ real_ip_from: "localhost" }, /real_ip_from.*"localhost" is none/],
    [{ "http2.max_streams": "0" }, /http2\.max_streams.*expected more than 0/],
    [{ "http2.max_streams": "4294967296" }, /http2\.max_streams.*expected at most 4294967295/],
    [{ "http2.max_streams": "9007199254740991" }, /http2\.max_streams.*expected at most 4294967295/],
  ] as const)("%j", (raw, expected) => {
    expect(problemOf(raw as Readonly<Record<string, string>>)).toMatch(expected);
  });

  test("all that is wrong is told at once", () => {
    const told = problemOf({ keepalive_timeout: "soon", max_concurrency: "many", health: "perhaps" });
    for (const key of ["keepalive_timeout", "max_concurrency", "health"]) expect(told).toContain(key);
  });
});
