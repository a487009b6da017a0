/** What a master needs of the last hour: its own share, and to read the whole. It loads nothing else of this package. */
export { writeFleetReport } from "./history/fleet-report.ts";
export { noHistory, readHistory } from "./history/read-history.ts";

export type { HistoryEvent } from "./history/events.ts";
export type { FleetReport } from "./history/fleet-report.ts";
export type { ProcessRecord } from "./history/process-record.ts";
export type { History, HistoryPoint } from "./history/read-history.ts";
