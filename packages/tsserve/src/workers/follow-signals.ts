import type { Master, Result } from "@tsserve/master";
import { exitCodeAfter, type Cause } from "@tsserve/server";
import type { Logger } from "pino";
import type { Host } from "../host.ts";

/**
 * SIGHUP upgrades, SIGTTIN and SIGTTOU resize, SIGUSR1 is passed on. Any other stops: once more ends the drains, a third
 * time kills. An error that nobody caught is a fault of ours, and logged; it ends nothing, for all workers would go too.
 */
export function followSignals(host: Host, master: Master, upgrade: () => Promise<Result>, log: () => Logger): void {
  let stops = 0;
  const onCause = (cause: Cause): void => {
    if (cause.kind === "uncaught") {
      log().error({ err: cause.error }, "an error that nobody caught in the master; it goes on");
    } else if (cause.kind === "signal" && cause.signal === "SIGHUP") {
      void upgrade();
    } else if (cause.kind === "signal") {
      stops += 1;
      void master.stop(stops === 1 ? "gracefully" : stops === 2 ? "drain" : "kill");
      if (stops > 2) host.exit(exitCodeAfter({ kind: "signal-repeated", signal: cause.signal }));
    }
  };
  void host.causes.first.then(onCause);
  host.causes.onLater(onCause);
  host.onSignal("SIGUSR1", () => master.signal("SIGUSR1"));
  host.onSignal("SIGTTIN", () => void master.resize(master.target + 1));
  host.onSignal("SIGTTOU", () => void master.resize(master.target - 1));
}
