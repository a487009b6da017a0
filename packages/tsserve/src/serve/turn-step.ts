import type { Step } from "@tsserve/server";
import type { Host } from "../host.ts";
import { isReloadChild, waitForTurn } from "../reload/child.ts";

/** Under `--reload`, the app that is being replaced holds the port until this one is built. */
export function turnStep(host: Host): Step {
  return { name: "its turn", start: () => (isReloadChild(host) ? waitForTurn(host) : undefined) };
}
