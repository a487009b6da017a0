import type { LifecycleEvent, Step } from "@tsserve/server";
import type { Logger } from "pino";
import type { Configuration } from "../configuration.ts";
import type { Host } from "../host.ts";

/** Tells the service manager what happens in the life of the process. */
export interface ServiceReports {
  tell(event: LifecycleEvent): void;
  end(): Promise<void>;
}

/** systemd is told of the state, where it asks for that. Only then is anything loaded for it. */
export function serviceManagerStep(host: Host, { master: { notify } }: Configuration, log: Logger): Step<ServiceReports | undefined> {
  return {
    name: "the service manager",
    start: async () => {
      if (notify === "off" || (notify === "auto" && (host.env["NOTIFY_SOCKET"] ?? "") === "")) return undefined;
      const [{ openServiceManager }, { stateOfProcess }] = await Promise.all([
        import("../notify/service-manager.ts"),
        import("../notify/service-state.ts"),
      ]);
      const service = openServiceManager(host, notify, log);
      return service && { tell: (event) => service.tell(stateOfProcess(event)), end: () => service.end() };
    },
    stop: (reports) => reports?.end(),
  };
}
