import { expect, test } from "vitest";
import { historyTable } from "./history-table.ts";

const at = (text: string): number => new Date(`2026-03-01T${text}`).getTime();
const point = {
  workers: 2,
  requests_per_second: 120,
  errors_per_second: 0.5,
  messages_per_second: 0,
  messages_failed_per_second: 0,
  p50: 0.004,
  p90: 0.02,
  p99: 1.5,
  active_requests: 3,
  open_connections: 9,
  event_loop_utilization: 0.2,
  busiest_event_loop: 0.42,
  event_loop_delay: 0.01,
  heap_used_bytes: 2 ** 25,
  fullest_heap: 0.1,
  memory_bytes: 2 ** 28,
  collections_per_second: 1,
};

test("a line each five minutes, then what happened, the dead with what they were doing", () => {
  const points = ["10:04:50", "10:05:00", "10:05:10"].map((time, n) => ({
    ...point,
    time: at(time),
    ...(n === 2 && { p50: null, p99: null, errors_per_second: 0 }),
  }));
  const events = [
    { at: at("10:05:08"), type: "died", pid: 7, text: "worker 0 was ended by SIGKILL", details: "out of memory\n" },
    { at: at("10:01:00"), type: "deadline", text: "cut", requests: [{ method: "GET", route: "/slow", ageMs: 2500 }] },
  ] as const;
  const record = {
    pid: 7,
    index: 0,
    at: at("10:05:07"),
    age_seconds: 60,
    active_requests: 1,
    requests: [{ method: "POST", route: "/orders", ageMs: 12 }],
    heap_used_bytes: 2 ** 30,
    heap_limit_bytes: 2 ** 31,
    memory_bytes: 2 ** 30,
    seconds: [],
  };
  expect(historyTable({ from: 0, until: 1, points, events, records: [record] })).toBe(
    [
      "UNTIL  WORKERS  REQUESTS/S  FAILED/S  50 %   99 %  ACTIVE  LOOP  MEMORY",
      "10:05        2         120       0.5  4 ms  1.5 s       3  42 %  256 MB",
      "10:05        2         120         0     -      -       3  42 %  256 MB",
      "",
      "10:05:08  died       worker 0 was ended by SIGKILL",
      "                     out of memory",
      "                     POST /orders for 12 ms",
      "                     heap 1024 MB of 2048 MB, resident 1024 MB",
      "10:01:00  deadline   cut",
      "                     GET /slow for 2.5 s",
    ].join("\n"),
  );
});

test("where nothing has been kept, or has happened, it says so", () => {
  expect(historyTable({ from: 0, until: 1, points: [], events: [], records: [] })).toBe("nothing has been kept yet\n\nnothing happened");
});
