/**
 * The HTTP server factory of tsserve: serves a Fastify instance, a Node request listener (Express,
 * Koa's `callback()`, a plain function) or a web-standard `{ fetch }` app, and stops without losing
 * a request.
 */
export { watchFastify as prepare } from "./fastify-hooks.ts";
export { fastifyOptions } from "./fastify-options.ts";
export { isApp } from "./app-kind.ts";
export { makeServer } from "./make-server.ts";
export { httpSettings as parseSettings, settings } from "./settings.ts";

export type { FastifyLike } from "./fastify-like.ts";
export type { FastifyOptions } from "./fastify-options.ts";
export type { FetchApp } from "./fetch-app.ts";
export type { HttpAppInput } from "./http-app.ts";
export type { HandlerFactory } from "./load-handler.ts";
export type { HttpSettings } from "./settings.ts";
