import type { Step } from "@tsserve/server";
import type { Logger } from "pino";

/** As it was before anything of the user's was loaded. */
const ownTick = process.nextTick;

/**
 * Node's own servers and streams call `process.nextTick` as they find it. With one that never calls back, as fake timers left over
 * from a test have it, no server would begin to listen, and no answer would end: the real one is put back.
 */
export function ticksStep(log: Logger): Step {
  return {
    name: "the ticks of the event loop",
    start: async () => {
      if (process.nextTick === ownTick || (await ticks())) return;
      process.nextTick = ownTick;
      log.warn(
        "process.nextTick was replaced by one that does not call back (fake timers?); it is Node's own again, which its servers need",
      );
    },
  };
}

/** Whether the one that there is now calls back before the event loop has turned. */
function ticks(): Promise<boolean> {
  return new Promise((resolve) => {
    setImmediate(() => resolve(false));
    try {
      process.nextTick(() => resolve(true));
    } catch {
      resolve(false);
    }
  });
}
