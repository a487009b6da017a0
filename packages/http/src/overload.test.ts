import { expect, test } from "vitest";
import type { HttpRequest } from "./http-request.ts";
import { Overload } from "./overload.ts";

const request = (method = "GET", url = "/"): HttpRequest => ({ incoming: { method, url }, isCounted: false }) as unknown as HttpRequest;

test("so many requests are let in, and the next as others leave, which leave once", () => {
  const overload = new Overload(2);
  const [a, b, c] = [request(), request(), request()];
  expect([overload.enter(a), overload.enter(b), overload.enter(c)]).toEqual([true, true, false]);
  overload.leave(c);
  overload.leave(a);
  overload.leave(a);
  expect([overload.enter(c), overload.enter(request())]).toEqual([true, false]);
});

test("health probes are always let in, and take no room", () => {
  const overload = new Overload(1);
  for (const url of ["/health", "/health?type=liveness"]) expect(overload.enter(request("GET", url))).toBe(true);
  expect([overload.enter(request("POST", "/health")), overload.enter(request("GET", "/healthy"))]).toEqual([true, false]);
});

test("without a limit, all are", () => {
  const overload = new Overload(0);
  expect(Array.from({ length: 1000 }, () => overload.enter(request())).every(Boolean)).toBe(true);
});
