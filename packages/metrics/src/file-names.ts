import type { ProcessIdentity } from "./process-identity.ts";

/** The version of the files' form. Workers of one master may be of two versions of tsserve: neither touches the other's files. */
export const formVersion = 2;

const ending = `v${formVersion}`;

/** What the names of a worker's files begin with, whichever process it is. */
export function workerBase(workerIndex: number): string {
  return String(workerIndex);
}

/** What the names of a process's own files begin with. */
export function processBase({ pid, startedAt }: ProcessIdentity): string {
  return `${pid}-${startedAt}`;
}

export const valuesName = (base: string): string => `${base}.${ending}.values`;
export const listName = (base: string, list: number): string => `${base}.${ending}.${list}.series`;
export const exemplarsName = (base: string): string => `${base}.${ending}.exemplars.json`;
export const pointsName = (base: string): string => `${base}.${ending}.points`;
export const eventsName = (base: string): string => `${base}.${ending}.events.json`;
/** What a process was doing last. */
export const recordName = (base: string): string => `${base}.${ending}.record.json`;
export const fleetName = "master.json";
/** What a file is called while it is written; then it takes its name at once. */
export const unfinished = (path: string): string => `${path}.new`;

export type FileKind = "values" | "series" | "exemplars" | "points" | "events" | "record" | "fleet" | "unfinished" | "version" | "foreign";

export interface FileName {
  readonly kind: FileKind;
  /** A worker's index, or a process; empty for what is neither's. */
  readonly base: string;
}

const ours = new RegExp(`^(\\d{1,6}|\\d+-\\d+)\\.${ending}\\.(values|\\d+\\.series|exemplars\\.json|points|events\\.json|record\\.json)$`);
/** Of the first version, or of one to come. */
const others = /^\d{1,6}(?:\.values|\.index|\.blocks\.json)$|^(?:\d+|\d+-\d+)\.v\d+\./;

/** What a name in the folder says of its file. */
export function parseFileName(name: string): FileName {
  if (name === fleetName) return { kind: "fleet", base: "" };
  if (name.endsWith(".new")) return { kind: parseFileName(name.slice(0, -4)).kind === "foreign" ? "foreign" : "unfinished", base: "" };
  const match = ours.exec(name);
  if (match === null) return { kind: others.test(name) ? "version" : "foreign", base: "" };
  const [, base = "", rest = ""] = match;
  return { kind: rest.replace(/^\d+\.|\.json$/g, "") as FileKind, base };
}

/** The process whose own file it is; `undefined` where a worker's. */
export function processOf({ base }: FileName): ProcessIdentity | undefined {
  const [pid, startedAt] = base.split("-");
  return startedAt === undefined ? undefined : { pid: Number(pid), startedAt: Number(startedAt) };
}

/** In one order whoever reads: sums of floating-point numbers differ by it. The workers by their indexes, then processes by their pids. */
export function orderOf(base: string): number {
  const [first, second] = base.split("-");
  return second === undefined ? Number(first) : 1e7 + Number(first);
}
