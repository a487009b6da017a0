/** `factory = tsserve/http` */
export { fastifyOptions, isApp, makeServer, parseSettings, prepare, settings } from "@tsserve/http";
export type { FetchApp, HandlerFactory, HttpAppInput, HttpSettings } from "@tsserve/http";
