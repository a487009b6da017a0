import { expect, test } from "vitest";
import { makeFleet, type Answer, type Worker } from "./fleet.ts";
import { resultOf } from "./result.ts";
import { options } from "./simulation/stepped-fleet.ts";
import { step } from "./step.ts";

const [worker] = step(makeFleet(1, options), { type: "tick" }, 0).fleet.workers as readonly [Worker];

test.each<[Answer, string]>([
  [{ type: "upgraded", ok: true, generation: 3, ms: 1234.5 }, "generation 3 is up after 1235 ms"],
  [{ type: "resized", ok: true, target: 4 }, "workers: 4"],
  [{ type: "stopping", ok: true }, "stopping"],
  [{ type: "stopping", ok: false }, "the master is stopping"],
  [{ type: "another-upgrade", ok: false }, "another upgrade has begun"],
  [{ type: "never-served", ok: false }, "none of the workers came up"],
  [
    { type: "abandoned", ok: false, worker, reason: "start_timeout" },
    "worker 0 of generation 1 did not come up within start_timeout:\nits last words",
  ],
  [{ type: "abandoned", ok: false, worker, reason: "exited" }, "worker 0 of generation 1 ended before it came up:\nits last words"],
])("%o is said in words, and is no success that it is not", (answer, words) => {
  const result = resultOf(answer, () => "its last words");
  expect([result.ok, "error" in result ? result.error : result.message]).toEqual([answer.ok, words]);
});

test("of a worker that said nothing, nothing is quoted", () => {
  const answer = { type: "abandoned", ok: false, worker, reason: "died" } as const;
  expect(resultOf(answer, () => "")).toEqual({
    ok: false,
    error: "worker 0 of generation 1 ended soon after it came up, as others did before",
  });
});
