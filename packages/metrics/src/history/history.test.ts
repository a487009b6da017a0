import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ActiveRequest, ActiveRequests, latencyBuckets, Meter, type RequestDescription } from "@tsserve/server";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { eventsName, pointsName, processBase, recordName } from "../file-names.ts";
import { identityOf, type ProcessIdentity } from "../process-identity.ts";
import { EventFile, readEvents } from "./events.ts";
import { readFleetReport, writeFleetReport } from "./fleet-report.ts";
import { Historian } from "./historian.ts";
import { endpointOf, MeterReader } from "./meter-figures.ts";
import { PointRing, pointMs, readPoints, type Point } from "./points.ts";
import { readDeadRecords, readRecord, RecordFile, removeOldRecords, type ProcessRecord } from "./process-record.ts";
import { quantileOf } from "./quantile.ts";
import { mergePoints, readHistory } from "./read-history.ts";

const living = identityOf(process.pid) as ProcessIdentity;
const dead: ProcessIdentity = { pid: 999_999_999, startedAt: 1 };
const now = 1_800_000_000_000;
let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tsserve-history-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const point = (time: number, more: Partial<Point> = {}): Point => ({
  time,
  pid: 1,
  seconds: 10,
  requests: 100,
  errors: 1,
  active: 2,
  connections: 3,
  utilization: 0.5,
  delay: 0.01,
  heapUsed: 50,
  heapLimit: 100,
  resident: 200,
  collections: 1,
  messages: 0,
  messagesFailed: 0,
  latency: latencyBuckets.map((_, bucket) => (bucket === 4 ? 100 : 0)).concat(0),
  ...more,
});

describe("points", () => {
  test("an hour of them is kept, whoever writes them; the file does not grow", () => {
    const path = join(folder, "a");
    for (let n = 0; n < 800; n++) {
      // A process ends, and its successor goes on.
      new PointRing(path).add(point(now + n * pointMs, { pid: n }));
    }
    const points = readPoints(path, 0).sort((a, b) => a.time - b.time);
    expect(points).toHaveLength(360);
    expect(points[0]).toEqual(point(now + 440 * pointMs, { pid: 440 }));
    expect(points.at(-1)?.pid).toBe(799);
    expect(readPoints(path, now + 797 * pointMs)).toHaveLength(2);
    expect(statSync(path).size).toBeLessThan(100_000);
  });

  test.each([10, 359, 360, 500])(
    "a clock that is set back by an hour or a day: what comes is kept, nothing is told twice (%d points)",
    (count) => {
      for (const backMs of [pointMs, 3_600_000, 86_400_000]) {
        const path = join(folder, `${count} ${backMs}`);
        const ring = new PointRing(path);
        for (let n = 0; n < count; n++) ring.add(point(now + n * pointMs));
        const set = now + count * pointMs - backMs;
        for (let n = 0; n < 300; n++) ring.add(point(set + n * pointMs, { pid: 2 }));
        const points = readPoints(path, 0);
        expect(points.filter(({ pid }) => pid === 2)).toHaveLength(300);
        const after = points.filter(({ pid, time }) => pid === 1 && time > set);
        expect(after.filter(({ time }) => time < set + 300 * pointMs)).toEqual([]);
        expect(points.length).toBeLessThanOrEqual(360);
      }
    },
  );

  test("of several processes are one for each ten seconds", () => {
    const busy = point(now, {
      pid: 2,
      requests: 300,
      utilization: 0.9,
      heapUsed: 90,
      latency: latencyBuckets.map((_, n) => (n === 8 ? 300 : 0)).concat(0),
    });
    const [merged, ...more] = mergePoints([point(now + pointMs), point(now), busy]).filter(({ time }) => time === now);
    expect(more).toEqual([]);
    expect(merged).toMatchObject({
      workers: 2,
      requests_per_second: 40,
      errors_per_second: 0.2,
      active_requests: 4,
      open_connections: 6,
      event_loop_utilization: 0.7,
      busiest_event_loop: 0.9,
      fullest_heap: 0.9,
      memory_bytes: 400,
    });
    expect(merged?.p50).toBeGreaterThan(0.05);
    expect(mergePoints([point(now, { latency: latencyBuckets.map(() => 0).concat(0) })])[0]?.p99).toBe(null);
  });

  test("what is none is left out", async () => {
    writeFileSync(join(folder, pointsName("0")), Buffer.alloc(5000, 9));
    mkdirSync(join(folder, pointsName("1")));
    writeFileSync(join(folder, eventsName("0")), "[{]");
    writeFileSync(join(folder, eventsName("1")), '{"at":1}');
    writeFileSync(join(folder, eventsName("2")), `[1,null,{"at":"x"},{"at":${now},"type":"died","text":"well"}]`);
    writeFileSync(join(folder, recordName(processBase(dead))), "no record");
    writeFileSync(join(folder, "master.json"), "null");
    const { points, events, records } = await readHistory(folder, now);
    expect([points, events.length, records]).toEqual([[], 1, []]);
    expect(await readHistory(join(folder, "nowhere"), now)).toMatchObject({ points: [], events: [], records: [] });
  });
});

test("quantiles are those that Prometheus estimates", () => {
  expect(quantileOf(0.5, [1, 2, 4], [0, 10, 0, 0])).toBe(1.5);
  expect(quantileOf(0.9, [1, 2, 4], [5, 0, 5, 0])).toBeCloseTo(3.6);
  expect(quantileOf(0.99, [1, 2, 4], [0, 0, 0, 7])).toBe(4);
  expect(quantileOf(0.5, [1], [0, 0])).toBe(undefined);
});

describe("events", () => {
  const mask = (text: string): string => text.replaceAll("hunter2", "****");

  test("secrets are masked, wherever they are; what lasts is told once", () => {
    const path = join(folder, "e");
    const events = new EventFile(path, mask, now);
    const requests = [{ method: "GET", route: "/a?token=hunter2", ageMs: 1.4 }];
    events.add({ at: now, type: "deadline", text: "hunter2 was cut", details: "it said hunter2", requests });
    events.add({ at: now + 1, until: now + 2, type: "errors", text: "5" });
    expect(events.extend("errors", now, now + 9, (event) => ({ ...event, until: now + 9, text: "hunter2" }))).toBe(true);
    expect(events.extend("errors", now + 10, now + 40, (event) => event)).toBe(false);
    expect(events.extend("died", now, now + 9, (event) => event)).toBe(false);
    // The clock was set back.
    expect(events.extend("errors", now - 40, now - 10, (event) => event)).toBe(false);
    expect(readEvents(path, now)).toEqual([
      {
        at: now,
        type: "deadline",
        text: "**** was cut",
        details: "it said ****",
        requests: [{ method: "GET", route: "/a?token=****", ageMs: 1 }],
      },
      { at: now + 1, until: now + 9, type: "errors", text: "****" },
    ]);
  });

  test("what can't be written is written when it can", () => {
    const path = join(folder, "lost", "e");
    const events = new EventFile(path, mask, now);
    for (const text of ["1", "2"]) expect(() => events.add({ at: now, type: "blocked", text })).toThrow(/ENOENT/);
    expect(() => events.catchUp(now)).toThrow(/ENOENT/);
    mkdirSync(join(folder, "lost"));
    events.catchUp(now);
    expect(readEvents(path, now).map(({ text }) => text)).toEqual(["1", "2"]);
    rmSync(path);
    // There is nothing to be written.
    events.catchUp(now);
    expect(readEvents(path, now)).toEqual([]);
  });

  test("a successor goes on; the oldest go, by age, number and size", () => {
    const path = join(folder, "e");
    new EventFile(path, mask, now).add({ at: now - 4_000_000, type: "started", text: "long ago" });
    for (let n = 0; n < 100; n++)
      new EventFile(path, mask, now).add({ at: now + n, type: "blocked", text: String(n), details: "x".repeat(9000) });
    const events = readEvents(path, now);
    expect(events.at(-1)?.text).toBe("99");
    expect(events.length).toBeGreaterThan(10);
    expect(statSync(path).size).toBeLessThanOrEqual(64 * 1024);
    expect(events.every(({ details }) => details?.length === 4000)).toBe(true);
  });

  test("a master's report is read as it was written, or not at all", () => {
    expect(readFleetReport(folder)).toBe(undefined);
    const report = { workers: [{ index: 0 }], events: [{ at: 1, type: "upgraded", text: "x" } as const] };
    writeFleetReport(folder, report);
    expect(readFleetReport(folder)).toEqual(report);
    writeFileSync(join(folder, "master.json"), '{"workers":[]}');
    expect(readFleetReport(folder)).toEqual({ workers: [], events: [] });
  });
});

describe("the record of a process", () => {
  const record = (at: number, more: Partial<ProcessRecord> = {}): ProcessRecord => ({
    pid: dead.pid,
    index: 0,
    at,
    age_seconds: 1,
    active_requests: 0,
    requests: [],
    heap_used_bytes: 1,
    heap_limit_bytes: 2,
    memory_bytes: 3,
    seconds: [],
    ...more,
  });

  test("the last one that was written as a whole is read, wherever a kill cut the next", () => {
    const path = join(folder, recordName(processBase(dead)));
    const file = new RecordFile(path);
    for (const at of [now, now + 1, now + 2]) file.write(record(at));
    expect(readRecord(path)?.at).toBe(now + 2);
    // The half that would be written next, cut.
    const cut = new RecordFile(path);
    cut.write(record(now + 3));
    writeFileSync(path, '{"pid":1,"at', { flag: "r+" });
    expect(readRecord(path)?.at).toBe(now + 1);
    expect(readDeadRecords(folder, now + 5)).toHaveLength(1);
  });

  test.each([1, 3_600_000, 86_400_000])("a clock that is set back by %d ms: the record that was written last is read", (backMs) => {
    const path = join(folder, recordName(processBase(dead)));
    const file = new RecordFile(path);
    for (const at of [now, now + 1, now + 2]) file.write(record(at));
    file.write(record(now + 2 - backMs, { age_seconds: 2 }));
    expect(readRecord(path)).toMatchObject({ at: now + 2 - backMs, age_seconds: 2 });
    file.write(record(now + 3 - backMs, { age_seconds: 3 }));
    expect(readRecord(path)?.age_seconds).toBe(3);
  });

  test("those from before the clock was set back do not push out who dies after it", () => {
    const day = 86_400_000;
    for (let n = 0; n < 30; n++) {
      const owner = { pid: 900_000_000 + n, startedAt: 1 };
      new RecordFile(join(folder, recordName(processBase(owner)))).write(record(now + n, { pid: owner.pid }));
    }
    new RecordFile(join(folder, recordName(processBase(dead)))).write(record(now - day));
    for (const at of [now - day, now - day + 5000]) {
      removeOldRecords(folder, at);
      expect(readDeadRecords(folder, at).map(({ pid }) => pid)).toEqual([dead.pid]);
    }
  });

  test("more requests than there is room for are fewer; no record is torn", () => {
    const path = join(folder, recordName(processBase(dead)));
    const requests = Array.from({ length: 20 }, (_, n) => ({ method: "GET", route: `/${"é".repeat(480)}${n}`, ageMs: n }));
    new RecordFile(path).write(record(now, { requests, active_requests: 20 }));
    expect(readRecord(path)?.requests.length).toBeGreaterThan(0);
  });

  test("those of the living, of another hour, and too many are not there", () => {
    const write = (owner: ProcessIdentity, at: number): void =>
      new RecordFile(join(folder, recordName(processBase(owner)))).write(record(at, { pid: owner.pid }));
    write(living, now);
    for (let n = 0; n < 30; n++) write({ pid: 900_000_000 + n, startedAt: 1 }, now - n);
    write({ pid: 950_000_000, startedAt: 1 }, now - 4_000_000);
    expect(readDeadRecords(folder, now)).toHaveLength(20);
    removeOldRecords(folder, now);
    expect(readDeadRecords(folder, now)).toHaveLength(20);
    expect(readRecord(join(folder, recordName("950000000-1")))).toBe(undefined);
    expect(readRecord(join(folder, recordName("900000029-1")))).toBe(undefined);
    expect(readRecord(join(folder, recordName(processBase(living))))?.pid).toBe(living.pid);
  });
});

class Request extends ActiveRequest {
  readonly #ageMs: number;
  constructor(ageMs: number) {
    super();
    this.#ageMs = ageMs;
  }
  describe(): RequestDescription {
    return { method: "GET", route: "/orders", ageMs: this.#ageMs };
  }
}

describe("a process that keeps its last hour", () => {
  const total = { name: "http_server_requests_total", help: "", type: "counter" } as const;
  const latency = { name: "http_server_latency_seconds", help: "", type: "histogram", buckets: latencyBuckets } as const;
  const answer = (meter: Meter, status: number, times: number, endpoint = "/orders/:id"): void => {
    const labels = { http_method: "get", http_endpoint: endpoint, http_response_code: String(status), http_success: String(status < 400) };
    for (let n = 0; n < times; n++) {
      meter.counter(total, labels).add(1);
      meter.histogram(latency, { http_endpoint: endpoint }).observe(0.02);
    }
  };
  let steadyMs = 0;
  const begin = (meter: Meter, requests = new ActiveRequests()): Historian =>
    new Historian(
      { meter, requests, owner: living, workerIndex: 0, folder, base: "0", mask: (text) => text, steadyMs: () => steadyMs },
      now,
    );

  test("one that begins where nothing can be written keeps it from when it can", async () => {
    const whole = folder;
    folder = join(whole, "later");
    const historian = begin(new Meter());
    historian.second(now + 1000);
    expect(() => historian.point(now + pointMs)).toThrow(/ENOENT/);
    mkdirSync(folder);
    historian.second(now + pointMs + 1000);
    historian.point(now + 2 * pointMs);
    const { points, events } = await readHistory(folder, now + 2 * pointMs);
    folder = whole;
    expect([points.length, events.map(({ type }) => type)]).toEqual([1, ["started"]]);
  });

  test("what it did in ten seconds, how it was, and what failed", async () => {
    const meter = new Meter();
    const requests = new ActiveRequests();
    const historian = begin(meter, requests);
    for (const age of [5, 500]) requests.add(new Request(age));
    answer(meter, 200, 40);
    historian.second(now + 1000);
    historian.point(now + pointMs);
    for (let n = 2; n < 5; n++) {
      steadyMs += pointMs;
      answer(meter, 200, 2);
      answer(meter, 503, 10);
      answer(meter, 404, 50, "404");
      historian.second(now + n * pointMs - 1);
      historian.point(now + n * pointMs);
    }
    historian.beat(now + 5 * pointMs);
    const { points, events } = await readHistory(folder, now + 5 * pointMs);
    expect(points.map(({ requests_per_second: all, errors_per_second: failed }) => [all, failed])).toEqual([
      [4, 0],
      [6.2, 1],
      [6.2, 1],
      [6.2, 1],
    ]);
    expect(points[0]?.p50).toBeGreaterThan(0.01);
    expect(events.filter(({ type }) => type === "errors")).toEqual([
      {
        at: now + pointMs,
        until: now + 4 * pointMs,
        type: "errors",
        pid: living.pid,
        text: `30 of 186 requests of pid ${living.pid} failed`,
        details: "10 × GET /orders/:id",
      },
    ]);
    const record = readRecord(join(folder, recordName(processBase(living))));
    expect(record).toMatchObject({ active_requests: 2, requests: [{ ageMs: 500 }, { ageMs: 5 }] });
    expect(record?.seconds).toHaveLength(4);
    historian.stop(now + 6 * pointMs);
    expect(readRecord(join(folder, recordName(processBase(living))))).toBe(undefined);
  });

  test.each([-86_400_000, -3_600_000, 3_600_000, 86_400_000])(
    "a clock that is set by %d ms: as long as it was, and said again",
    (setMs) => {
      const meter = new Meter();
      const historian = begin(meter);
      const fail = (at: number): void => {
        steadyMs += pointMs;
        answer(meter, 500, 10);
        historian.second(at);
        historian.point(at);
      };
      const path = join(folder, recordName(processBase(living)));
      fail(now + pointMs);
      historian.beat(now + pointMs);
      const set = now + setMs + 2 * pointMs;
      fail(set);
      historian.beat(set);
      historian.beat(set + 500);
      expect(readRecord(path)?.at).toBe(set);
      const events = readEvents(join(folder, eventsName("0")), 0).filter(({ type }) => type === "errors");
      expect(events.at(-1)).toMatchObject({ at: set - pointMs, until: set, text: `10 of 10 requests of pid ${living.pid} failed` });
      expect(readPoints(join(folder, pointsName("0")), 0).every(({ seconds }) => seconds === 10)).toBe(true);
      historian.stop(set + 1000);
    },
  );

  test("a single failure is no burst; an idle process has nothing to say again", () => {
    const meter = new Meter();
    const historian = begin(meter);
    answer(meter, 500, 1);
    answer(meter, 200, 500);
    historian.second(now + 1000);
    historian.point(now + pointMs);
    expect(readEvents(join(folder, eventsName("0")), now).map(({ type }) => type)).toEqual(["started"]);
    historian.second(now + 2 * pointMs);
    historian.beat(now + 2 * pointMs);
    const path = join(folder, recordName(processBase(living)));
    const { mtimeMs } = statSync(path);
    historian.beat(now + 2 * pointMs + 500);
    expect(statSync(path).mtimeMs).toBe(mtimeMs);
    expect(readRecord(path)?.at).toBe(now + 2 * pointMs);
    historian.stop(now + 3 * pointMs);
  });
});

test("an endpoint's name is what people say", () => {
  const name = (labels: Record<string, string>): string => endpointOf({ labels });
  expect(name({ http_method: "get", http_endpoint: "/items/:id" })).toBe("GET /items/:id");
  expect(name({ http_method: "post", http_endpoint: "404" })).toBe("POST (no route)");
  expect(name({ thrift_method: "ping" })).toBe("ping");
});

test("failed calls and messages are told apart from those that were refused", () => {
  const meter = new Meter();
  const count = (name: string, labels: Record<string, string>): void => meter.counter({ name, help: "", type: "counter" }, labels).add(1);
  count("http_server_requests_total", { http_response_code: "404" });
  count("http_server_requests_total", { http_response_code: "500" });
  count("thrift_server_requests_total", { thrift_success: "false" });
  count("queue_consumer_messages_total", { queue_outcome: "ack" });
  count("queue_consumer_messages_total", { queue_outcome: "dead" });
  meter.gauge({ name: "runtime_event_loop_delay_seconds", help: "", type: "gauge" }, { quantile: "0.99" }).set(0.5);
  expect(new MeterReader(meter).read()).toMatchObject({ requests: 3, errors: 2, messages: 2, messagesFailed: 1, delay: 0.5 });
});
