import type { ProfileKind } from "./messages.ts";

/** A worker as it is chosen for a profile. */
export interface Candidate {
  readonly index: number;
  readonly pid: number | undefined;
  readonly isUp: boolean;
  /** Whether nothing has been heard of it for a while: its event loop is probably stuck. */
  readonly isSilent: boolean;
  /** 0 to 1. */
  readonly utilization: number;
  readonly memoryBytes: number;
}

export type Choice = { readonly index: number; readonly why: string } | { readonly error: string };

/**
 * Which worker is profiled where nobody says it: the one that says most. For time that is one that is stuck, else the busiest; for
 * memory the largest.
 */
export function chooseWorker(kind: ProfileKind, wanted: number | undefined, workers: readonly Candidate[]): Choice {
  const alive = workers.filter(({ pid }) => pid !== undefined);
  if (wanted !== undefined) {
    if (alive.some(({ index }) => index === wanted)) return { index: wanted, why: "" };
    return { error: `there is no worker ${wanted}; there are ${alive.map(({ index }) => index).join(", ") || "none"}` };
  }
  const up = alive.filter(({ isUp }) => isUp);
  const among = up.length > 0 ? up : alive;
  const weigh =
    kind === "cpu" ? ({ isSilent, utilization }: Candidate) => (isSilent ? 2 : utilization) : (each: Candidate) => each.memoryBytes;
  const [first, ...others] = [...among].sort((a, b) => weigh(b) - weigh(a) || a.index - b.index);
  if (first === undefined) return { error: "no worker runs" };
  if (others.length === 0) return { index: first.index, why: "" };
  const why = kind !== "cpu" ? "the largest" : first.isSilent ? "stuck" : "the busiest";
  return { index: first.index, why: `${why} of ${among.length}` };
}
