import type { Meter } from "@tsserve/server";
import { expect, test } from "vitest";
import { runsBySuccess } from "./runs-by-success.ts";

test("runs that went well and runs that did not are told apart by a label, whatever the dashboard calls it", () => {
  const observed: unknown[] = [];
  const meter = {
    histogram: (definition: { name: string; type: string }, labels: object) => ({
      observe: (seconds: number) => observed.push([definition.name, definition.type, labels, seconds]),
    }),
  } as unknown as Meter;
  const tell = runsBySuccess(meter, { name: "runs_seconds", label: "went_well" }, { queue: "q" });
  tell(true, 0.25);
  tell(false, 3);
  expect(observed).toEqual([
    ["runs_seconds", "histogram", { queue: "q", went_well: "true" }, 0.25],
    ["runs_seconds", "histogram", { queue: "q", went_well: "false" }, 3],
  ]);
});
