import type { Step } from "@tsserve/server";
import type { CompileCache } from "../compile-cache/compile-cache.ts";

/** By then the first requests have been served, and have had compiled what they need. */
const afterMs = 1000;

/** Keeps what this start has compiled for the next one, once there is time. */
export function compileCacheStep(cache: CompileCache): Step {
  let timer: NodeJS.Timeout | undefined;
  return {
    name: "the compile cache",
    start: () => {
      timer = setTimeout(() => cache.save(), afterMs).unref();
    },
    stop: () => clearTimeout(timer),
  };
}
