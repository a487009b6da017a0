import { acknowledge, type EinhornWorker } from "@tsserve/listener";
import type { Server, Step } from "@tsserve/server";
import type { Application } from "../application.ts";
import type { Host } from "../host.ts";
import { watchMaster } from "../watch-master.ts";
import type { MasterChannel } from "../workers/master-channel.ts";
import type { MetricsSocketInbox } from "../workers/metrics-socket.ts";

/** What a worker of our own master gets over the channel that it has to it. */
export interface OfMaster {
  /** The exporter's sockets, as they come. */
  readonly inbox: MetricsSocketInbox;
  /** Leaves the sockets of other workers that this one accepts on meanwhile. */
  readonly endBorrowing: () => void;
}

/** Hears of the sockets that our own master hands over; must stand before the worker acknowledges, because they come then. */
export function mastersSocketsStep(master: MasterChannel | undefined, server: Server, { health }: Application): Step<OfMaster | undefined> {
  return {
    name: "the master's sockets",
    start: async () => {
      if (master === undefined) return undefined;
      master.on("tsserve:reopen", () => server.reopen?.());
      const [{ borrowSockets }, { MetricsSocketInbox }, { restOnOrder }] = await Promise.all([
        import("../workers/lend-sockets.ts"),
        import("../workers/metrics-socket.ts"),
        import("../workers/rest-on-order.ts"),
      ]);
      restOnOrder(server, health, master);
      return { inbox: new MetricsSocketInbox(master), endBorrowing: borrowSockets(server, master) };
    },
    stop: (ofMaster) => ofMaster?.endBorrowing(),
  };
}

/**
 * A worker acknowledges when it accepts connections, not sooner, and leaves when its master has gone. Our own master hears
 * of it over its channel: a file that somebody may have removed is not needed.
 */
export function acknowledgeStep(
  host: Host,
  worker: EinhornWorker | undefined,
  master: MasterChannel | undefined,
): Step<(() => void) | undefined> {
  return {
    name: "the master",
    start: async () => {
      if (worker === undefined) return undefined;
      if (master === undefined) await acknowledge(worker, host);
      else await master.tell({ type: "tsserve:acknowledge" });
      // Our own master's end is known by the end of its channel: nobody need look for it.
      if (master !== undefined) return undefined;
      return watchMaster(worker.masterPid, () => host.causes.add({ kind: "orphaned", masterPid: worker.masterPid }));
    },
    stop: (endWatch) => endWatch?.(),
  };
}
