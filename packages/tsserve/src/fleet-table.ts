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
const stateColumn = 3;

/** The status for people: words to the left, numbers to the right. */
export function fleetTable({ pid, generation, workers }: FleetStatus): string {
  const rows = [columns.map(([title]) => title), ...workers.map((worker) => columns.map(([, of]) => of(worker)))];
  const widths = columns.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const pad = (cell: string, column: number): string =>
    column === stateColumn ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0);
  return [`master ${pid}, generation ${generation}`, ...rows.map((row) => row.map(pad).join("  "))].join("\n");
}
