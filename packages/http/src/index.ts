/**
 * The HTTP server factory of tsserve: serves a Fastify instance, a Node request listener (Express,
 * Koa's `callback()`, a plain function) or a web-standard `{ fetch }` app, and stops without losing
 * a request.
 */
import { watchFastify } from "./fastify-hooks.ts";

// Before the app's modules load: an instance made earlier would keep its routes to itself.
watchFastify();

export { fastifyOptions } from "./fastify-options.ts";
export { makeServer } from "./make-server.ts";
export { httpSettings as parseSettings, settings } from "./settings.ts";

export type { FetchApp } from "./fetch-app.ts";
export type { HttpAppInput } from "./http-app.ts";
export type { HandlerFactory } from "./take-events.ts";
export type { HttpSettings } from "./settings.ts";
