import type { IncomingMessage, ServerResponse } from "node:http";
import { ActiveRequests, Meter } from "@tsserve/server";
import { expect, test } from "vitest";
import type { Connection } from "./connection.ts";
import { HttpRequest } from "./http-request.ts";
import { RequestMetrics } from "./request-metrics.ts";

/** A request for a pattern, whose answer has a status and so many bytes; without a status its client has gone. */
function request(method: string, pattern: string | undefined, status: number | undefined, bytes = 0): HttpRequest {
  const incoming = { method, url: "/", rawHeaders: [], headers: {} } as unknown as IncomingMessage;
  const response = { headersSent: status !== undefined, statusCode: status ?? 200, _contentLength: bytes } as unknown as ServerResponse;
  const made = new HttpRequest(incoming, response, { lastAnswerBytes: 0 } as Connection, 1000);
  made.route = pattern;
  return made;
}

function metricsOf(meter: Meter): RequestMetrics {
  return new RequestMetrics(meter, new ActiveRequests(), () => 0);
}

/** What a family has counted: of each series its labels, and the sum of its cells. */
function counted(meter: Meter, name: string): Record<string, number> {
  const found = meter.series.filter(({ family }) => family.name === name);
  return Object.fromEntries(
    found.map(({ labels, cell, family }) => {
      const counts = meter.values.subarray(cell, cell + (family.buckets === undefined ? 1 : family.buckets.length + 1));
      return [Object.values(labels).join(" "), counts.reduce((sum, each) => sum + each, 0)];
    }),
  );
}

/** Made up the same for the same seed (Park and Miller's generator). */
function makeRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
}

test("methods that a client has made up are one series", () => {
  const meter = new Meter();
  const metrics = metricsOf(meter);
  for (let n = 0; n < 1000; n++) metrics.ended(request(`M${n}`, "/", 200), 1001);
  for (const method of ["GET", "PROPFIND", "get", "constructor", ""]) metrics.ended(request(method, "/", 200), 1001);
  const found = Object.entries(counted(meter, "http_server_requests_total")).map(([labels, count]) => [
    labels.split(" ").find((each) => /^(?:get|propfind|other)$/.test(each)),
    count,
  ]);
  expect(Object.fromEntries(found)).toEqual({ get: 1, propfind: 1, other: 1003 });
  expect(found).toHaveLength(3);
});

test.each([1, 22, 333])("whatever the order of requests, each is counted once, under what it was for (seed %d)", (seed) => {
  const random = makeRandom(seed);
  const meter = new Meter();
  const metrics = metricsOf(meter);
  const expected: Record<string, number> = {};
  const succeeded: Record<string, number> = {};
  for (let n = 0; n < 500; n++) {
    const method = ["GET", "POST", "DELETE"][random(3)] ?? "GET";
    const pattern = [undefined, "/", "/users/:id"][random(3)];
    const status = [200, 201, 301, 404, 500, undefined][random(6)];
    // As a rule several in a row are alike.
    for (let times = random(4); times >= 0; times--) {
      metrics.ended(request(method, pattern, status), 1001);
      const endpoint = `${pattern ?? (status === 404 ? "404" : "*")} ${method.toLowerCase()}`;
      const success = status !== undefined && status < 400;
      expected[`${endpoint} ${status ?? 499} ${success}`] = (expected[`${endpoint} ${status ?? 499} ${success}`] ?? 0) + 1;
      succeeded[`${endpoint} ${success}`] = (succeeded[`${endpoint} ${success}`] ?? 0) + 1;
    }
  }
  expect(counted(meter, "http_server_requests_total")).toEqual(expected);
  for (const family of ["http_server_latency_seconds", "http_server_request_size_bytes", "http_server_response_size_bytes"])
    expect(counted(meter, family)).toEqual(succeeded);
});

test("a latency is in seconds, and sizes are in bytes", () => {
  const meter = new Meter();
  const metrics = metricsOf(meter);
  const made = request("GET", "/", 200, 700);
  made.bodyBytes = 30;
  metrics.ended(made, 1000 + 250);
  const sumOf = (name: string): number | undefined => {
    const series = meter.series.find(({ family }) => family.name === name);
    return series && meter.values[series.cell + series.cells - 1];
  };
  expect(sumOf("http_server_latency_seconds")).toBeCloseTo(0.25);
  expect(sumOf("http_server_request_size_bytes")).toBe(30);
  expect(sumOf("http_server_response_size_bytes")).toBe(700);
});

test("what is rejected and what closes is counted by its reason", () => {
  const meter = new Meter();
  const metrics = metricsOf(meter);
  for (const reason of ["parse", "parse", "timeout"] as const) metrics.rejected(reason);
  for (const reason of ["client", "idle", "client"] as const) metrics.closed(reason);
  expect(counted(meter, "http_server_rejected_requests_total")).toEqual({ parse: 2, timeout: 1 });
  expect(counted(meter, "http_server_connections_closed_total")).toEqual({ client: 2, idle: 1 });
});
