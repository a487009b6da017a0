import type { Health, Rest, Server } from "@tsserve/server";
import type { MasterChannel } from "./master-channel.ts";

/**
 * Steps aside when the master says so, until it says that it is over: readiness fails, connections are moved away. Its sockets come
 * back as those that the master lends do.
 */
export function restOnOrder(server: Server, health: Health, master: MasterChannel): void {
  let rest: Rest | undefined;
  let isResting = false;
  health.add(function restingForSnapshot(probe) {
    return probe !== "readiness" || !isResting;
  });
  master.on("tsserve:rest", ({ withinMs }) => {
    isResting = true;
    rest = server.rest?.();
    const limit = new Promise<void>((resolve) => setTimeout(resolve, withinMs).unref());
    void Promise.race([rest?.left, limit]).then(() => master.tell({ type: "tsserve:resting" }));
  });
  master.on("tsserve:return", () => {
    isResting = false;
    rest?.end();
    rest = undefined;
  });
}
