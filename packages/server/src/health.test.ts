import { expect, test } from "vitest";
import { ActiveRequest, ActiveRequests, type RequestDescription } from "./active-requests.ts";
import { Health, parseProbe } from "./health.ts";
import { makeServerState } from "./state.ts";

test("probes go by name, in any case, and by number", () => {
  expect(["readiness", "Liveness", "3", "1", "x", "", "4"].map(parseProbe)).toEqual([
    "readiness",
    "liveness",
    "startup",
    "readiness",
    undefined,
    undefined,
    undefined,
  ]);
});

test("readiness fails in the shutdown, the others do not", async () => {
  const state = makeServerState();
  const health = new Health(state, () => undefined);
  state.enter("SHUTTING_DOWN");
  expect([await health.answer("readiness"), await health.answer("liveness"), await health.answer("startup")]).toEqual([
    "shutting_down",
    "ok",
    "ok",
  ]);
});

test("a check that says no, throws or does not answer makes it unhealthy, and is reported", async () => {
  const reported: string[] = [];
  const clock = { now: () => 0, after: (_ms: number, run: () => void) => (queueMicrotask(run), () => undefined) };
  for (const check of [() => false, () => Promise.reject(new Error("broken")), () => new Promise<never>(() => undefined)]) {
    const health = new Health(makeServerState(), (error) => reported.push(error.message), clock);
    health.add(() => true);
    health.add(check);
    expect(await health.answer("readiness")).toBe("unhealthy");
  }
  expect(reported).toEqual(["broken", "the health check did not answer within 5000 ms"]);
});

class Named extends ActiveRequest {
  readonly route: string;
  readonly ageMs: number;
  constructor(route: string, ageMs: number) {
    super();
    this.route = route;
    this.ageMs = ageMs;
  }

  override describe(): RequestDescription {
    return { method: "GET", route: this.route, ageMs: this.ageMs };
  }
}

test("requests in progress: any may leave, twice does no harm, the oldest is told first", () => {
  const requests = new ActiveRequests();
  const [a, b, c] = [new Named("a", 3), new Named("b", 2), new Named("c", 9)];
  for (const each of [a, b, c]) requests.add(each);
  expect(requests.describe().map(({ route }) => route)).toEqual(["c", "a", "b"]);
  requests.delete(b);
  requests.delete(b);
  expect([requests.size, [...requests].length]).toEqual([2, 2]);
  for (const each of requests) requests.delete(each);
  expect(requests.size).toBe(0);
  requests.add(b);
  expect(requests.describe()).toHaveLength(1);
});

test("one of the server's own is reported under the name that it was given", async () => {
  const owners: string[] = [];
  const health = new Health(makeServerState(), (_error, _probe, owner) => owners.push(owner));
  health.addOwn("the check of the queues", () => Promise.reject(new Error("broken")));
  expect([await health.answer("readiness"), owners]).toEqual(["unhealthy", ["the check of the queues"]]);
});
