import { wrongApp } from "@tsserve/config";
import type { TsserveError } from "@tsserve/config";
import { isHttpServer, isNest } from "../app-kind.ts";
import { isFastify } from "../fastify-like.ts";

const orWithout = "or set http2 = false, and let the proxy in front speak HTTP/2";

/** Why an app can't be served over HTTP/2; `undefined` where nothing is known against it. */
export function refusalWithHttp2(app: unknown): TsserveError | undefined {
  if (isFastify(app)) {
    if (!wantsHttp2(app.initialConfig))
      return wrongApp(
        "a Fastify instance made without http2: true",
        `http2 = true needs one that is made with context.fastifyOptions, ${orWithout}`,
      );
    if (!isHttpServer(app.server))
      return wrongApp(
        "a Fastify instance with an HTTP/2 server of its own",
        `http2 = true needs one that is made with context.fastifyOptions, so that HTTP/1 stays beside it`,
      );
    return undefined;
  }
  if (isNest(app)) {
    const framework = app.getHttpAdapter().getInstance();
    return isExpress(framework)
      ? wrongApp(
          "a NestJS application on Express, which can't speak HTTP/2",
          `take @nestjs/platform-fastify with context.fastifyOptions, ${orWithout}`,
        )
      : isFastify(framework)
        ? refusalWithHttp2(framework)
        : undefined;
  }
  const behind = isHttpServer(app) ? app.listeners("request") : [app];
  if (!behind.some(isExpress)) return undefined;
  return wrongApp(
    "an Express app, which can't speak HTTP/2",
    `its requests and responses are HTTP/1's; serve it without, ${orWithout.replace("or set", "with")}`,
  );
}

/** Why an app can't be served over HTTP/1 alone. */
export function refusalWithoutHttp2(app: unknown): TsserveError | undefined {
  const framework = isNest(app) ? app.getHttpAdapter().getInstance() : app;
  if (!isFastify(framework) || !wantsHttp2(framework.initialConfig)) return undefined;
  return wrongApp(
    "a Fastify instance made with http2: true",
    "expected http2 = true beside it, and context.fastifyOptions, which then has it",
  );
}

function wantsHttp2(initialConfig: object): boolean {
  return "http2" in initialConfig && initialConfig.http2 === true;
}

/** Express gives each request and response a prototype of its own, made from HTTP/1's. */
function isExpress(app: unknown): boolean {
  if (typeof app !== "function") return false;
  const { handle, set, request, response } = app as unknown as Record<string, unknown>;
  return typeof handle === "function" && typeof set === "function" && typeof request === "object" && typeof response === "object";
}
