import { wrongServer } from "@tsserve/config";
import type { Guard, Server } from "@tsserve/server";

/**
 * A server as the lifecycle may call it, whoever wrote it: what its smaller methods throw is told and ends nothing. `start` and
 * `stop` may fail: the lifecycle has words for that.
 *
 * @throws {TsserveError} when it is no server
 */
export function guardServer(server: Server, guard: Guard): Server {
  if (!isServer(server)) throw wrongServer(kindOf(server));
  const { accept, rest, reopen, routes, addresses } = server;
  return {
    start: async () => server.start(),
    drain: (cause) => guard.tell("drain() of the server", () => server.drain?.(cause)),
    stop: async (deadline) => {
      const stopped: { readonly cut?: unknown } | undefined = await server.stop(deadline);
      return { cut: Number(stopped?.cut) || 0 };
    },
    stats: () => {
      const none = { openConnections: 0, activeRequests: 0 };
      const given: object = guard.call<object>("stats() of the server", () => server.stats?.() ?? none, none);
      return { openConnections: countIn(given, "openConnections"), activeRequests: countIn(given, "activeRequests") };
    },
    ...(accept === undefined ? {} : { accept: async (listener) => accept.call(server, listener) }),
    ...(rest === undefined ? {} : { rest: () => rest.call(server) }),
    ...(reopen === undefined ? {} : { reopen: () => guard.tell("reopen() of the server", () => reopen.call(server)) }),
    ...(addresses === undefined
      ? {}
      : { addresses: () => textsIn(guard.call<unknown>("addresses() of the server", () => addresses.call(server), [])) }),
    ...(routes === undefined ? {} : { routes: async () => routes.call(server) }),
    ...(server.ended === undefined ? {} : { ended: Promise.resolve(server.ended) }),
  };
}

function countIn(given: object, name: keyof ReturnType<Server["stats"]>): number {
  return Number((given as Readonly<Record<string, unknown>>)[name]) || 0;
}

function textsIn(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === "string") : [];
}

function isServer(value: unknown): value is Server {
  if (typeof value !== "object" || value === null) return false;
  const { start, stop } = value as Partial<Server>;
  return typeof start === "function" && typeof stop === "function";
}

function kindOf(value: unknown): string {
  if (value === undefined || value === null) return `${value} (does it return the server?)`;
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
