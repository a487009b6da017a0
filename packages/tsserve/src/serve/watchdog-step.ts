import type { Step } from "@tsserve/server";
import type { Watchdog } from "../stacks/watchdog.ts";

/**
 * Waits until the watchdog listens, before anything of the app's runs that may get stuck. It has booted on another core
 * meanwhile: mostly there is nothing left to wait for. That it can't listen keeps nobody from being served.
 */
export function watchdogStep(watchdog: Watchdog): Step {
  return {
    name: "the watchdog",
    start: async () => {
      await watchdog.listening;
    },
    stop: () => watchdog.end(),
  };
}
