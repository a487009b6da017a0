import type { ControlSocket } from "@tsserve/master";
import type { Server, Step } from "@tsserve/server";
import type { Logger } from "pino";
import type { Application } from "../application.ts";
import type { Configuration } from "../configuration.ts";
import type { Host } from "../host.ts";
import type { Watchdog } from "../stacks/watchdog.ts";
import type { ReplDoor } from "./repl-step.ts";

/** A single process can be commanded, too, when `control_socket` names where. A worker leaves that to its master. */
export function controlStep(
  host: Host,
  { master: { controlSocket } }: Configuration,
  { requests }: Application,
  own: { readonly server: Server; readonly watchdog: Watchdog; readonly door: ReplDoor },
  log: Logger,
): Step<(() => void) | undefined> {
  return {
    name: "the control socket",
    start: async () => {
      if (controlSocket === undefined || host.env["EINHORN_MASTER_PID"] === String(host.ppid)) return undefined;
      const [master, { controlPlace }, { singleCommands }] = await Promise.all([
        import("@tsserve/master"),
        import("../workers/control-place.ts"),
        import("../workers/single-commands.ts"),
      ]);
      const place = controlPlace(host.env, host.pid, controlSocket);
      const socket: ControlSocket = await master.ControlSocket.open({
        path: place.path,
        commands: singleCommands(host, requests, own),
        keep: () => place.keep(),
        warn: (message) => log.warn(message),
      });
      log.info({ control_socket: place.path }, `tsserve ctl --socket ${place.path}`);
      return () => {
        socket.close();
        place.remove();
      };
    },
    stop: (end) => end?.(),
  };
}
