import type { Server } from "node:http";
import { wrongApp } from "@tsserve/config";
import type { Logger } from "pino";
import { isHttpServer, type NestLike } from "./app-kind.ts";
import { openFastify } from "./fastify-app.ts";
import { isFastify } from "./fastify-like.ts";
import type { HttpApp } from "./http-app.ts";

/**
 * A NestJS application, which is made ready here, and closed with its own hooks.
 *
 * @param openServer what is done with the server of one on Express
 * @throws {TsserveError} when it stands on neither Express nor Fastify
 */
export async function openNest(app: NestLike, log: Logger, openServer: (server: Server, framework: object) => HttpApp): Promise<HttpApp> {
  await app.init();
  const framework = app.getHttpAdapter().getInstance();
  const server = app.getHttpServer();
  const close = async (): Promise<void> => void (await app.close());
  if (isFastify(framework)) return { ...(await openFastify(framework, log)), close };
  if (!isHttpServer(server)) throw wrongApp("a NestJS application on an adapter of another kind", "expected Express or Fastify");
  return { ...openServer(server, framework as object), close };
}
