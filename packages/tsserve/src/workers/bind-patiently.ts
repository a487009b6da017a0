import { setTimeout as wait } from "node:timers/promises";
import { isTsserveError } from "@tsserve/config";
import { SlotSockets } from "@tsserve/listener";
import type { ListenSettings } from "../listen-settings.ts";

/** Workers that have lost their master by `kill -9` leave at once, but not in the same instant. */
const patienceMs = 2000;
const retryMs = 100;

/**
 * Binds the sockets of a master. An address that is in use is tried again for two seconds: it may be that of a master that
 * was killed a moment ago, whose workers are leaving.
 *
 * @throws {ListenError}
 */
export async function bindPatiently({ endpoints, choices }: ListenSettings, slots: number): Promise<SlotSockets> {
  for (const until = performance.now() + patienceMs; ;) {
    try {
      return await SlotSockets.bind(endpoints, slots, choices);
    } catch (error) {
      const isInUse = isTsserveError(error, "ERR_TSSERVE_LISTEN") && error.systemCode === "EADDRINUSE";
      if (!isInUse || performance.now() > until) throw error;
    }
    await wait(retryMs);
  }
}
