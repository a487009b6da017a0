import type { Listener } from "@tsserve/listener";
import type { Causes, Server, Step, Tracing } from "@tsserve/server";
import type { Application, BuiltApp } from "../application.ts";

/** Gives the server, which listens nowhere yet. */
export function serverStep(
  application: Application,
  built: BuiltApp,
  listeners: readonly Listener[],
  tracing: Tracing | undefined,
): Step<Server> {
  return {
    name: "the server",
    start: () => application.makeServer(built, listeners, tracing),
    drain: (server, cause) => server.drain(cause),
    stop: (server, deadline) => server.stop(deadline),
  };
}

/** From here on connections are accepted. A server that ends without being asked to is a cause to stop. */
export function listenStep(server: Server, causes: Causes): Step {
  return {
    name: "the server",
    start: async () => {
      await server.start();
      server.ended?.then(
        () => causes.add({ kind: "server-ended" }),
        (error: unknown) => causes.add({ kind: "server-ended", error }),
      );
    },
  };
}
