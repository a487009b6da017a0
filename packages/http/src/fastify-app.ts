import { formatEndpoint } from "@tsserve/config";
import type { Logger } from "pino";
import { isWithoutIpv6, listenError } from "@tsserve/listener";
import { fastifyRoutes, tellErrorsIn } from "./fastify-hooks.ts";
import type { FastifyLike } from "./fastify-like.ts";
import type { HttpApp } from "./http-app.ts";

export async function openFastify(app: FastifyLike, log: Logger): Promise<HttpApp> {
  tellErrorsIn(app, log);
  await app.ready();
  return {
    server: app.server,
    limitsBodies: true,
    readsIdsFrom: takesIdsOfClients(app.initialConfig) ? "clients" : "framework",
    ownsHealth: app.hasRoute({ method: "GET", url: "/health" }),
    routes: fastifyRoutes(app),
    // Fastify's own `listen` also runs its onListen hooks. It gets addresses only, never "localhost",
    // for which it would open a second server that nobody could drain.
    listen: async (listener) => {
      const options = await listener.listenOptions();
      try {
        await quietly(app, (text) => listenEverywhere(app, { ...options, listenTextResolver: () => text }));
      } catch (error) {
        throw listenError(error as Error, formatEndpoint(listener.endpoint));
      }
    },
    close: async () => void (await app.close()),
  };
}

/** Fastify's option `requestIdHeader`, which is off unless an app sets it. */
function takesIdsOfClients(config: object): boolean {
  return "requestIdHeader" in config && typeof config.requestIdHeader === "string";
}

/** Without a host, Node listens on all interfaces, and Fastify on localhost alone. IPv6's takes IPv4 along, where the machine has it. */
async function listenEverywhere(app: FastifyLike, options: object): Promise<void> {
  if ("host" in options || "path" in options || "fd" in options) {
    await app.listen(options);
    return;
  }
  try {
    await app.listen({ ...options, host: "::" });
  } catch (error) {
    if (!isWithoutIpv6((error as NodeJS.ErrnoException).code)) throw error;
    await app.listen({ ...options, host: "0.0.0.0" });
  }
}

/** Fastify logs where it listens, and can only be told in which words: ours is the line for that, so these words are left out. */
async function quietly(app: FastifyLike, listen: (text: string) => Promise<unknown>): Promise<void> {
  const text = "fastify listens";
  const log = app.log as { info?: (...values: unknown[]) => void };
  const own = Object.getOwnPropertyDescriptor(log, "info");
  const { info } = log;
  if (info === undefined || Object.isFrozen(log)) {
    await listen(text);
    return;
  }
  log.info = function (...values: unknown[]): void {
    if (values[0] !== text) info.apply(this, values);
  };
  try {
    await listen(text);
  } finally {
    if (own === undefined) delete log.info;
    else log.info = info;
  }
}
