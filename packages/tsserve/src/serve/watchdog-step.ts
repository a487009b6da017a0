import type { Step } from "@tsserve/server";
import type { CompileCache } from "../compile-cache/compile-cache.ts";
import type { Watchdog } from "../stacks/watchdog.ts";

/**
 * Waits until the watchdog listens, before anything of the app's runs that may get stuck. It has booted on another core
 * meanwhile: mostly there is little left to wait for, and what the app will load is compiled until then. That it can't listen keeps nobody from being served.
 */
export function watchdogStep(watchdog: Watchdog, compileCache: CompileCache): Step {
  return {
    name: "the watchdog",
    start: async () => {
      await compileCache.wait(watchdog.listening);
    },
    stop: () => watchdog.end(),
  };
}
