import type { Answer, Worker } from "./fleet.ts";

/** What a request of an operator came to. */
export type Result =
  | { readonly ok: true; readonly message: string; readonly generation?: number }
  | { readonly ok: false; readonly error: string };

const failures = {
  start_timeout: "did not come up within start_timeout",
  exited: "ended before it came up",
  died: "ended soon after it came up, as others did before",
} as const;

/**
 * An answer of the fleet in words.
 *
 * @param wordsOf the last ones of a worker, which say why it did not come up
 */
export function resultOf(answer: Answer, wordsOf: (worker: Worker) => string): Result {
  switch (answer.type) {
    case "upgraded":
      return {
        ok: true,
        message: `generation ${answer.generation} is up after ${Math.round(answer.ms)} ms`,
        generation: answer.generation,
      };
    case "resized":
      return { ok: true, message: `workers: ${answer.target}` };
    case "stopping":
      return answer.ok ? { ok: true, message: "stopping" } : { ok: false, error: "the master is stopping" };
    case "another-upgrade":
      return { ok: false, error: "another upgrade has begun" };
    case "never-served":
      return { ok: false, error: "none of the workers came up" };
    case "abandoned": {
      const { worker, reason } = answer;
      const words = wordsOf(worker);
      const what = `worker ${worker.index} of generation ${worker.generation} ${failures[reason]}`;
      return { ok: false, error: `${what}${words === "" ? "" : `:\n${words}`}` };
    }
    default:
      return answer satisfies never;
  }
}
