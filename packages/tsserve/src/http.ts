/** `factory = tsserve/http` */
export { fastifyOptions, makeServer, parseSettings, prepare, settings } from "@tsserve/http";
export type { FetchApp, HandlerFactory, HttpAppInput, HttpSettings } from "@tsserve/http";
