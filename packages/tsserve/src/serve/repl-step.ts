import { Socket } from "node:net";
import type { Step } from "@tsserve/server";
import type { Logger } from "pino";
import type { Application } from "../application.ts";
import type { Configuration } from "../configuration.ts";
import type { Host } from "../host.ts";
import type { ReplGuest } from "../repl/serve-repl.ts";
import type { MasterChannel } from "../workers/master-channel.ts";

/** Takes an operator in, who wants to talk to this process. */
export type ReplDoor = (socket: Socket, guest: ReplGuest) => void;

/** From here on `tsserve ctl repl` may talk to this process, if the file says so. Nothing of it is loaded before somebody does. */
export function replStep(
  host: Host,
  { master: { controlRepl }, app: { values: config } }: Configuration,
  { context }: Application,
  app: unknown,
  master: MasterChannel | undefined,
  log: Logger,
): Step<ReplDoor> {
  return {
    name: "the REPL",
    start: () => {
      const index = host.env["EINHORN_CHILD_INDEX"];
      const who = `${master === undefined ? "the process" : `worker ${index}`} (pid ${host.pid})`;
      const door: ReplDoor = (socket, guest) => {
        const parts = { isAllowed: controlRepl, who, variables: { app, config, context }, log, masker: host.masker, causes: host.causes };
        void import("../repl/serve-repl.ts").then(({ serveRepl }) => serveRepl(socket, guest, parts));
      };
      master?.on("tsserve:repl", (guest, socket) => {
        if (socket instanceof Socket) door(socket, guest);
      });
      return door;
    },
  };
}
