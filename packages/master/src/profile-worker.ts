import { chooseWorker, type Candidate } from "./choose-worker.ts";
import type { ProfileKind } from "./messages.ts";
import type { WatchdogLine } from "./watchdog-line.ts";

/** What an operator asks for. */
export interface ProfileOrder {
  readonly kind: ProfileKind;
  /** `undefined`: the one that says most. */
  readonly worker: number | undefined;
  readonly ms: number;
  readonly heapsFree: number;
  /** Who asks, for the log. */
  readonly by: string;
}

export type ProfileResult =
  | {
      readonly ok: true;
      readonly worker: number;
      readonly pid: number | null;
      readonly path: string;
      readonly bytes: number;
      readonly message: string;
    }
  | { readonly ok: false; readonly error: string };

/** What the workers of a master are asked, and told, for a profile. */
export interface ProfiledWorkers {
  candidates(): readonly Candidate[];
  line(index: number): WatchdogLine | undefined;
  /** Has it step aside, if it can be spared, for so long at most; resolves when it has, or won't. Gives what ends that. */
  stepAside(index: number, ms: number): Promise<(() => void) | undefined>;
}

/** Beyond the time of a profile: the thread itself waits for thirty seconds. */
const patienceMs = 35_000;
const snapshotWithinMs = 16 * 60_000;

/** Has a profile taken of a worker. For a snapshot, which stops it for long, it steps aside first. Always answers. */
export async function profileWorker({ worker, ...question }: ProfileOrder, workers: ProfiledWorkers): Promise<ProfileResult> {
  const candidates = workers.candidates();
  const choice = chooseWorker(question.kind, worker, candidates);
  if ("error" in choice) return { ok: false, error: choice.error };
  const { index, why } = choice;
  const pid = candidates.find((each) => each.index === index)?.pid ?? null;
  const line = workers.line(index);
  const name = `worker ${index} (pid ${pid ?? "none"}${why === "" ? "" : `, ${why}`})`;
  if (line === undefined) return { ok: false, error: `${name}: it has gone` };
  const isSnapshot = question.kind === "snapshot";
  const comeBack = isSnapshot ? await workers.stepAside(index, snapshotWithinMs) : undefined;
  try {
    const answer = await line.ask(question, isSnapshot ? snapshotWithinMs : question.ms + patienceMs);
    if (answer.type === "tsserve:profile-failed") return { ok: false, error: `${name}: ${answer.reason}` };
    return { ok: true, worker: index, pid, path: answer.path, bytes: answer.bytes, message: name };
  } finally {
    comeBack?.();
  }
}
