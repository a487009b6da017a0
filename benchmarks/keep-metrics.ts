import { Meter } from "@tsserve/server";
import { Definitions } from "../packages/metrics/dist/definitions.js";
import { Keeper } from "../packages/metrics/dist/keeper.js";
import { View } from "../packages/metrics/dist/view.js";

export interface KeptMetrics {
  readonly keeper: Keeper;
  /** What is seen from this process of all that keep their metrics in the folder. */
  readonly view: View;
}

/** Keeps metrics in a folder as a worker does, with all that `enter` makes of them. */
export function keepMetrics(
  folder: string,
  workerIndex: number,
  owner: { readonly pid: number; readonly startedAt: number },
  enter: (meter: Meter) => void,
): KeptMetrics {
  const meter = new Meter();
  enter(meter);
  const log = { debug: () => undefined, info: () => undefined, warn: () => undefined };
  const definitions = new Definitions();
  const keeper = new Keeper({
    meter,
    owner,
    workerIndex,
    folder,
    remakeFolder: () => folder,
    definitions,
    registries: () => [],
    sample: () => undefined,
    log,
  });
  keeper.start();
  return { keeper, view: new View({ keeper, definitions, pid: owner.pid, log }) };
}
