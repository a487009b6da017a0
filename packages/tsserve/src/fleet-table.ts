import type { WorkerStatus } from "@tsserve/master";

/** How a fleet is, or a single process. */
export interface FleetStatus {
  readonly pid: number;
  readonly generation: number;
  readonly workers: readonly WorkerStatus[];
}

const columns: readonly (readonly [title: string, of: (worker: WorkerStatus) => string])[] = [
  ["WORKER", ({ index }) => String(index)],
  ["GEN", ({ generation }) => String(generation)],
  ["PID", ({ pid }) => String(pid ?? "-")],
  ["STATE", ({ state }) => state],
  ["AGE", ({ age_seconds: age }) => (age < 120 ? `${age} s` : age < 7200 ? `${Math.floor(age / 60)} min` : `${Math.floor(age / 3600)} h`)],
  ["ACTIVE", ({ active_requests: active }) => String(active ?? "-")],
  ["REQUESTS", ({ requests_total: total }) => String(total ?? "-")],
  ["MEMORY", ({ memory_bytes: bytes }) => (bytes === null ? "-" : `${Math.round(bytes / 2 ** 20)} MB`)],
  ["LOOP", ({ event_loop_utilization: part }) => (part === null ? "-" : `${Math.round(part * 100)} %`)],
];
/** Where workers consume queues. */
const messageColumns: readonly (readonly [title: string, of: (messages: NonNullable<WorkerStatus["messages"]>) => string])[] = [
  ["MSG/S", ({ per_second: rate }) => String(Math.round(rate))],
  ["LAG", ({ lag_seconds: lag }) => (lag === null ? "-" : lag < 10 ? `${Math.round(lag * 1000)} ms` : `${Math.round(lag)} s`)],
  ["RETRIES", ({ retries_total: retries }) => String(retries)],
  ["DEAD", ({ dead_total: dead }) => String(dead)],
];
const stateColumn = 3;

/** The status for people: words to the left, numbers to the right. */
export function fleetTable({ pid, generation, workers }: FleetStatus): string {
  const more = workers.some(({ messages }) => messages !== undefined) ? messageColumns : [];
  const cellsOf = (worker: WorkerStatus): string[] => [
    ...columns.map(([, of]) => of(worker)),
    ...more.map(([, of]) => (worker.messages === undefined ? "-" : of(worker.messages))),
  ];
  const titles = [...columns, ...more].map(([title]) => title);
  const rows = [titles, ...workers.map(cellsOf)];
  const widths = titles.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const pad = (cell: string, column: number): string =>
    column === stateColumn ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0);
  return [`master ${pid}, generation ${generation}`, ...rows.map((row) => row.map(pad).join("  "))].join("\n");
}
