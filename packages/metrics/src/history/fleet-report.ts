import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { fleetName, unfinished } from "../file-names.ts";
import type { HistoryEvent } from "./events.ts";

/** What a master says of its workers, in their folder. */
export interface FleetReport {
  /** As `tsserve ctl status --json` has them. */
  readonly workers: readonly object[];
  readonly events: readonly HistoryEvent[];
}

/** @returns `undefined` where there is none */
export function readFleetReport(folder: string): FleetReport | undefined {
  try {
    const report = JSON.parse(readFileSync(`${folder}/${fleetName}`, "utf8")) as Partial<FleetReport> | null;
    return Array.isArray(report?.workers)
      ? { workers: report.workers, events: Array.isArray(report.events) ? report.events : [] }
      : undefined;
  } catch {
    return undefined;
  }
}

/** At once: a disk that is full leaves the one before. @throws {Error} when it can't be written */
export function writeFleetReport(folder: string, report: FleetReport): void {
  const path = `${folder}/${fleetName}`;
  writeFileSync(unfinished(path), JSON.stringify(report), { mode: 0o600 });
  renameSync(unfinished(path), path);
}
