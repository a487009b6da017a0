import type { IncomingMessage, RequestListener } from "node:http";
import type { Route } from "@tsserve/server";
import type { Logger } from "pino";
import type { KoaLike } from "./app-kind.ts";
import { believesProxies, type ProxySettings } from "./client.ts";
import { logFailure } from "./guard-listener.ts";
import { requestKey, type TrackedMessage } from "./http-request.ts";

interface KoaContext {
  readonly req: IncomingMessage;
  readonly _matchedRoute?: unknown;
}

/** A Koa app's request listener: its errors are logged as ours where it has no words for them itself, and its routes are noted. */
export function koaListener(app: KoaLike, log: Logger, proxies: ProxySettings): RequestListener {
  // One address, the client's, stands in the header that Koa then reads.
  if (believesProxies(proxies)) app.proxy = true;
  const note = (context: KoaContext, next: () => unknown): unknown => {
    const tracked = (context.req as TrackedMessage)[requestKey];
    // koa-router and @koa/router leave the pattern on the context.
    if (tracked !== undefined) tracked.findRoute = () => (typeof context._matchedRoute === "string" ? context._matchedRoute : undefined);
    return next();
  };
  app.middleware.unshift(note);
  if (app.listenerCount("error") === 0) {
    app.on("error", (error, context) => {
      const { status, expose } = (error ?? {}) as { readonly status?: unknown; readonly expose?: unknown };
      // What is the client's fault, as Koa itself has it, is no news.
      if (status === 404 || expose === true) return;
      logFailure((context as KoaContext | undefined)?.req, "the app", error, log);
    });
  }
  return app.callback();
}

interface KoaRouter {
  readonly stack?: readonly { readonly methods?: readonly string[]; readonly path?: unknown }[];
}

/** The routes of the routers that are among an app's middleware. */
export function koaRoutes(app: KoaLike): Route[] {
  return app.middleware.flatMap((middleware) => {
    const { stack } = ((middleware as { readonly router?: KoaRouter } | undefined)?.router ?? {}) as KoaRouter;
    // A layer without methods is middleware of the router.
    return (stack ?? []).flatMap(({ methods = [], path }) => methods.map((method) => ({ method, path: String(path) })));
  });
}
