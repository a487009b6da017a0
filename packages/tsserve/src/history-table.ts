import type { History, HistoryEvent, HistoryPoint, ProcessRecord } from "@tsserve/metrics/history";

/** A line each so often. */
const lineMs = 5 * 60_000;

/** The last hour, for a terminal: how it was each five minutes, and what happened. */
export function historyTable({ points, events, records }: History): string {
  const lines = points.length === 0 ? ["nothing has been kept yet"] : table(points);
  const recordOf = new Map(records.map((record) => [record.pid, record]));
  const happened = events.flatMap((event) => describe(event, event.type === "died" ? recordOf.get(event.pid ?? 0) : undefined));
  return [...lines, "", ...(happened.length === 0 ? ["nothing happened"] : happened)].join("\n");
}

const columns: readonly (readonly [title: string, of: (line: readonly HistoryPoint[]) => string])[] = [
  ["UNTIL", (line) => clock(line.at(-1)?.time ?? 0).slice(0, 5)],
  ["WORKERS", (line) => String(Math.max(...line.map(({ workers }) => workers)))],
  ["REQUESTS/S", (line) => number(mean(line, "requests_per_second"))],
  ["FAILED/S", (line) => number(mean(line, "errors_per_second"))],
  ["50 %", (line) => seconds(median(line.map(({ p50 }) => p50)))],
  ["99 %", (line) => seconds(most(line.map(({ p99 }) => p99)))],
  ["ACTIVE", (line) => number(mean(line, "active_requests"))],
  ["LOOP", (line) => `${Math.round(mean(line, "busiest_event_loop") * 100)} %`],
  ["MEMORY", (line) => `${Math.round(Math.max(...line.map(({ memory_bytes: bytes }) => bytes)) / 2 ** 20)} MB`],
];

function table(points: readonly HistoryPoint[]): string[] {
  const byLine = new Map<number, HistoryPoint[]>();
  for (const point of points) {
    const line = Math.ceil(point.time / lineMs);
    byLine.set(line, [...(byLine.get(line) ?? []), point]);
  }
  const rows = [columns.map(([title]) => title), ...[...byLine.values()].map((line) => columns.map(([, of]) => of(line)))];
  const widths = columns.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => row.map((cell, column) => cell.padStart(widths[column] ?? 0)).join("  "));
}

function describe({ at, type, text, details, requests = [] }: HistoryEvent, record: ProcessRecord | undefined): string[] {
  const more = (details ?? "").split("\n").filter((line) => line.trim() !== "");
  const inProgress = [...requests, ...(record?.requests ?? [])].map(
    ({ method, route, ageMs }) => `${method} ${route} for ${seconds(ageMs / 1000)}`,
  );
  const memory =
    record === undefined
      ? []
      : [`heap ${megabytes(record.heap_used_bytes)} of ${megabytes(record.heap_limit_bytes)}, resident ${megabytes(record.memory_bytes)}`];
  return [`${clock(at)}  ${type.padEnd(9)}  ${text}`, ...[...more, ...inProgress, ...memory].map((line) => `${" ".repeat(21)}${line}`)];
}

function mean(
  line: readonly HistoryPoint[],
  key: "requests_per_second" | "errors_per_second" | "active_requests" | "busiest_event_loop",
): number {
  return line.reduce((sum, point) => sum + point[key], 0) / line.length;
}

function known(values: readonly (number | null)[]): number[] {
  return values.filter((value) => value !== null).sort((a, b) => a - b);
}

function median(values: readonly (number | null)[]): number | undefined {
  const sorted = known(values);
  return sorted[sorted.length >> 1];
}

function most(values: readonly (number | null)[]): number | undefined {
  return known(values).at(-1);
}

function number(value: number): string {
  return value === 0 || value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(2)));
}

function seconds(value: number | undefined): string {
  if (value === undefined) return "-";
  return value < 1 ? `${number(value * 1000)} ms` : `${number(value)} s`;
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MB`;
}

/** In the time of the machine. */
function clock(time: number): string {
  const at = new Date(time);
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":");
}
