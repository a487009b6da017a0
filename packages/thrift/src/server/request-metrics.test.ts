import { ActiveRequests, Meter } from "@tsserve/server";
import { expect, test } from "vitest";
import { unknownMethod } from "./bound-method.ts";
import { failedWith, succeeded } from "./outcome.ts";
import { RequestMetrics } from "./request-metrics.ts";
import type { RequestOrigin } from "./request-origin.ts";
import { ThriftRequest } from "./thrift-request.ts";

const request = (name: string, isUnknown: boolean): ThriftRequest =>
  new ThriftRequest(
    undefined as unknown as RequestOrigin,
    { ...unknownMethod(name), isUnknown },
    "framed",
    "binary",
    1,
    false,
    performance.now(),
  );

/** The series of a name that count something, by their labels. */
function counted(meter: Meter, name: string): Record<string, number> {
  meter.sample();
  const found = meter.series.filter(({ family }) => family.name === name);
  return Object.fromEntries(
    found.map(({ labels, cell }) => [Object.values(labels).filter(Boolean).join(" "), meter.values[cell] ?? Number.NaN]),
  );
}

test("requests are counted by method and outcome; what clients make up shares one name", () => {
  const meter = new Meter();
  const metrics = new RequestMetrics(meter, new ActiveRequests());
  const notFound = Object.assign(new Error("no"), { name: "NotFound", code: 404 });
  for (let n = 0; n < 3; n++) metrics.ended(request("get", false), succeeded);
  for (let n = 0; n < 2; n++) metrics.ended(request("get", false), failedWith(notFound));
  metrics.ended(request("get", false), failedWith(new TypeError("no")));
  for (const name of ["made", "up", "by a client"]) metrics.ended(request(name, true), failedWith(new TypeError("no")));
  expect(Object.values(counted(meter, "thrift_server_requests_total")).sort((a, b) => a - b)).toEqual([1, 2, 3, 3]);
  expect(Object.keys(counted(meter, "thrift_server_requests_total")).sort()).toEqual([
    "NOT_FOUND 404 NotFound get false",
    "TypeError get false",
    "TypeError unknown false",
    "get true",
  ]);
  expect(Object.keys(counted(meter, "thrift_server_latency_seconds")).sort()).toEqual(["get false", "get true", "unknown false"]);
});

test("those in progress are counted while they last, and a method that had some stays, at 0", () => {
  const meter = new Meter();
  const requests = new ActiveRequests();
  const metrics = new RequestMetrics(meter, requests);
  expect(metrics).toBeDefined();
  const [one, other] = [request("get", false), request("put", false)];
  requests.add(one);
  requests.add(other);
  expect(counted(meter, "thrift_server_active_requests")).toEqual({ get: 1, put: 1 });
  requests.delete(one);
  expect(counted(meter, "thrift_server_active_requests")).toEqual({ get: 0, put: 1 });
});
