import { clientOf } from "./client.ts";
import { privateOf, type FastifyLike } from "./fastify-like.ts";
import { logGivenTo } from "./fastify-options.ts";
import { requestKey, type TrackedMessage } from "./http-request.ts";

/** Decorates the requests of an instance, so that Fastify makes them of the instance's own class. */
const decoration: unique symbol = Symbol("tsserve.showsClient");

/**
 * An instance that was not made with `fastifyOptions` believes no proxy: its `request.ip` would be the proxy, where log and metrics have
 * the client. Its requests are given getters that tell what was resolved for each of them (`client.ts`). One that was made with a
 * `trustProxy` has settled the matter itself. Requests that did not come through the server, as those of `inject` or of another port,
 * are left to Fastify.
 *
 * Fastify's own getters can't be replaced. Each instance has a class of requests, from which those of its plugins inherit; it passes
 * over one that decorates nothing (lib/route.js, "avoid encapsulation"). The getters stand between that class and Fastify's, so that an app
 * may still decorate its requests with these names.
 */
export function showClient(app: FastifyLike): void {
  const options = privateOf(app, "fastify.options") as { readonly trustProxy?: unknown } | undefined;
  const requests = (privateOf(app, "fastify.Request") as { readonly prototype?: object } | undefined)?.prototype;
  if (requests === undefined || Boolean(options?.trustProxy) || logGivenTo(app) !== undefined) return;
  const inherited = Object.getPrototypeOf(requests) as object;
  const found: Readonly<Record<string, (raw: TrackedMessage) => unknown>> = {
    ip: (raw) => clientOf(raw).address,
    protocol: (raw) => clientOf(raw).scheme,
    // Fastify 4 calls it `hostname`, with the port; from 5 on that is a part of `host`.
    ["host" in requests ? "host" : "hostname"]: (raw) => clientOf(raw).host ?? "",
  };
  const between = Object.create(inherited) as object;
  for (const [name, find] of Object.entries(found)) {
    const own = Object.getOwnPropertyDescriptor(inherited, name)?.get as ((this: unknown) => unknown) | undefined;
    if (own === undefined) return;
    Object.defineProperty(between, name, {
      get(this: { readonly raw: TrackedMessage }): unknown {
        return requestKey in this.raw ? find(this.raw) : own.call(this);
      },
    });
  }
  Object.setPrototypeOf(requests, between);
  app.decorateRequest(decoration, { getter: () => true });
}
