import type { WorkerStatus } from "@tsserve/master";

/** How a fleet is, or a single process. */
export interface FleetStatus {
  readonly pid: number;
  readonly generation: number;
  readonly workers: readonly WorkerStatus[];
}

interface Column {
  readonly title: string;
  readonly of: (worker: WorkerStatus) => string;
  /** Those of a higher number give way first where there is no room. */
  readonly spare: number;
}

const columns: readonly Column[] = [
  { title: "WORKER", spare: 0, of: ({ index }) => String(index) },
  { title: "GEN", spare: 4, of: ({ generation }) => String(generation) },
  { title: "PID", spare: 3, of: ({ pid }) => String(pid ?? "-") },
  { title: "STATE", spare: 0, of: ({ state }) => state },
  { title: "AGE", spare: 6, of: ({ age_seconds: age }) => ageText(age) },
  { title: "ACTIVE", spare: 2, of: ({ active_requests: active }) => String(active ?? "-") },
  { title: "REQUESTS", spare: 5, of: ({ requests_total: total }) => String(total ?? "-") },
  { title: "MEMORY", spare: 1, of: ({ memory_bytes: bytes }) => (bytes === null ? "-" : `${Math.round(bytes / 2 ** 20)} MB`) },
  { title: "LOOP", spare: 0, of: ({ event_loop_utilization: part }) => (part === null ? "-" : `${Math.round(part * 100)} %`) },
];

type Messages = NonNullable<WorkerStatus["messages"]>;

/** Where workers consume queues. */
const messageColumns: readonly Column[] = [
  ofMessages("MSG/S", 3, ({ per_second: rate }) => String(Math.round(rate))),
  ofMessages("LAG", 1, ({ lag_seconds: lag }) => (lag === null ? "-" : lag < 10 ? `${Math.round(lag * 1000)} ms` : `${Math.round(lag)} s`)),
  ofMessages("RETRIES", 5, ({ retries_total: retries }) => String(retries)),
  ofMessages("DEAD", 2, ({ dead_total: dead }) => String(dead)),
];

function ofMessages(title: string, spare: number, of: (messages: Messages) => string): Column {
  return { title, spare, of: ({ messages }) => (messages === undefined ? "-" : of(messages)) };
}

function ageText(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3600)} h`;
}

/**
 * The status for people: words to the left, numbers to the right.
 *
 * @param size of the terminal: columns and rows that it has no room for are left out. Default: there is room
 */
export function fleetTable(
  { pid, generation, workers }: FleetStatus,
  { columns: width, rows: height }: { readonly columns: number; readonly rows: number } = { columns: Infinity, rows: Infinity },
): string {
  // The head, the titles, and what says how many are left out.
  const shown = workers.slice(0, Math.max(1, workers.length + 2 > height ? height - 3 : workers.length));
  const more = workers.some(({ messages }) => messages !== undefined) ? messageColumns : [];
  const cells = [...columns, ...more].map(({ title, of, spare }) => {
    const column = [title, ...shown.map(of)];
    const widest = Math.max(...column.map((cell) => cell.length));
    return { spare, lines: column.map((cell) => (title === "STATE" ? cell.padEnd(widest) : cell.padStart(widest))), widest };
  });
  while (cells.reduce((sum, { widest }) => sum + widest + 2, -2) > width && cells.some(({ spare }) => spare > 0)) {
    const most = Math.max(...cells.map(({ spare }) => spare));
    cells.splice(
      cells.findIndex(({ spare }) => spare === most),
      1,
    );
  }
  const rows = ["", ...shown].map((_, row) => cells.map(({ lines }) => lines[row] ?? "").join("  "));
  const left = workers.length - shown.length;
  return [`master ${pid}, generation ${generation}`, ...rows, ...(left > 0 ? [`and ${left} more`] : [])].join("\n");
}
