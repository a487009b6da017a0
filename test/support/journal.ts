import { existsSync, readFileSync } from "node:fs";

/** One run of a consumer's handler, as the fixtures write it down. */
export interface Run {
  readonly what: "begun" | "done";
  readonly n: number;
  readonly attempt: number;
  readonly redelivered: boolean;
  readonly pid: number;
  readonly at: number;
  readonly consumer?: string;
  readonly topic?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export function readJournal(path: string): Run[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, "utf8").split("\n");
  return lines.filter((line) => line !== "").flatMap(parse);
}

/** What became of each message: how often its handler has come to its end. */
export function done(runs: readonly Run[]): number[] {
  return runs.filter(({ what }) => what === "done").map(({ n }) => n);
}

export function twice(runs: readonly Run[]): number[] {
  const ns = done(runs);
  return ns.filter((n, index) => ns.indexOf(n) !== index);
}

/** Those that one and the same process has handled more than once. */
export function twiceByOne(runs: readonly Run[]): number[] {
  const pids = new Set(runs.map(({ pid }) => pid));
  return [...pids].flatMap((each) => twice(runs.filter(({ pid }) => pid === each)));
}

/** A process that was killed may have written half a line. */
function parse(line: string): Run[] {
  try {
    return [JSON.parse(line) as Run];
  } catch {
    return [];
  }
}
