import { subscribe } from "node:diagnostics_channel";
import { failureReports, type Route } from "@tsserve/server";
import type { Logger } from "pino";
import { showClient } from "./fastify-client.ts";
import {
  isFastify,
  privateOf,
  type FastifyLike,
  type FastifyReplyLike,
  type FastifyRequestLike,
  type LogControllerLike,
} from "./fastify-like.ts";
import { fastifyErrorHook, isServerFault } from "./framework-failures.ts";
import { makePatternFinder } from "./fastify-pattern.ts";
import { logGivenTo } from "./fastify-options.ts";
import { notePreClose } from "./fastify-pre-close.ts";
import { logFailure } from "./guard-listener.ts";
import { requestKey, type TrackedMessage } from "./http-request.ts";
import { childLoggerFactory, RequestLog } from "./request-log.ts";

/** Under which an instance keeps the routes that it announced. */
const routesKey: unique symbol = Symbol("tsserve.routes");

/**
 * From now on, notes the routes of every Fastify instance, whichever copy and version made it, and on each request which route
 * it took. Fastify announces its instances (diagnostics channel `fastify.initialization`, in its docs under Hooks) before
 * the app can touch them: later, hooks would miss the routes that are already there.
 */
export function watchFastify(): void {
  subscribe("fastify.initialization", (message) => {
    const { fastify } = message as { fastify: unknown };
    if (isFastify(fastify) && !(routesKey in fastify)) adopt(fastify);
  });
}

/** Under which an instance has the log for its errors, where it has none of its own. */
const failureLogKey: unique symbol = Symbol("tsserve.failureLog");

interface LoggedFastify {
  readonly [failureLogKey]?: Logger;
}

/** The routes of an instance, in the order in which they were added. */
export function fastifyRoutes(app: FastifyLike): readonly Route[] {
  return (app as { readonly [routesKey]?: readonly Route[] })[routesKey] ?? [];
}

function adopt(app: FastifyLike): void {
  const routes: Route[] = [];
  Object.defineProperty(app, routesKey, { value: routes });
  notePreClose(app);
  showClient(app);
  // Fastify's stand-in for no logger has no level; a logger of the app's own is left alone.
  const given = logGivenTo(app);
  const log = given !== undefined && !("level" in app.log) ? given : undefined;
  if (log !== undefined) app.log = log;
  const controller = privateOf(app, "fastify.logController") as LogControllerLike | undefined;
  if (controller !== undefined) followController(controller, log, isOwn(app, controller));
  else if (log !== undefined) app.setChildLoggerFactory(childLoggerFactory(log));
  if (log === undefined && !("level" in app.log)) app.addHook("onError", tellError);
  if (failureReports().isWanted) app.addHook("onError", fastifyErrorHook);
  const needsHook = controller === undefined && log === undefined;
  app.addHook("onRoute", (route) => {
    for (const method of [route.method].flat()) routes.push({ method, path: route.url });
    if (needsHook) route.onRequest = [noteRoute(route.url), ...[route.onRequest ?? []].flat()];
  });
}

/**
 * The hook `onError` of an instance that was made without a logger: by hand, the error behind a 500 is lost. Plugins are made with the
 * instance as their prototype, and find the log there.
 */
function tellError(this: LoggedFastify, request: FastifyRequestLike, reply: FastifyReplyLike, error: unknown, done: () => void): void {
  const log = this[failureLogKey];
  if (log !== undefined && isServerFault(error, reply.statusCode)) logFailure(request.raw, "the app", error, log);
  done();
}

/** Has errors of an instance without a logger told in this log. */
export function tellErrorsIn(app: FastifyLike, log: Logger): void {
  Object.defineProperty(app, failureLogKey, { value: log });
}

/** Whether the app brought a log controller of its own, whose lines it wants. */
function isOwn(app: FastifyLike, controller: LogControllerLike): boolean {
  const options = privateOf(app, "fastify.options") as { readonly logController?: unknown } | undefined;
  return options?.logController === controller;
}

/**
 * From 5.10 on Fastify tells its log controller of each request once the route is known. It is wrapped where it stands: Fastify
 * takes none that is not of its own copy's class.
 */
function followController(controller: LogControllerLike, log: Logger | undefined, isAppsOwn: boolean): void {
  const incomingRequest = controller.incomingRequest.bind(controller);
  const findPattern = makePatternFinder();
  controller.incomingRequest = (request, reply, metadata) => {
    note(request, findPattern);
    if (log !== undefined) {
      const requestLog = new RequestLog(log, request);
      request.log = requestLog;
      reply.log = requestLog;
    }
    if (log === undefined || isAppsOwn) incomingRequest(request, reply, metadata);
  };
  if (log === undefined || isAppsOwn) return;
  // The access log has a line for each request; Fastify's own two would double it. Its errors stay.
  controller.requestCompleted = () => undefined;
  controller.routeNotFound = () => undefined;
  const defaultErrorLog = controller.defaultErrorLog?.bind(controller);
  controller.defaultErrorLog = (error, request, reply, metadata) => {
    if (reply.statusCode >= 500) defaultErrorLog?.(error, request, reply, metadata);
    else if (controller.isLogDisabled?.(request) !== true) clientFault(error, reply);
  };
}

/** A client's fault is no news: a line at debug. */
function clientFault(err: Error, reply: FastifyReplyLike): void {
  (reply.log as Logger).debug({ res: reply, err }, err?.message);
}

function note(request: FastifyRequestLike, findPattern: (request: FastifyRequestLike) => string | undefined): void {
  const tracked = (request.raw as TrackedMessage)[requestKey];
  if (tracked === undefined) return;
  tracked.fastify = request;
  tracked.findPattern = findPattern;
  // An app may have told Fastify to take ids from elsewhere: then all speak of that one.
  tracked.takeId(request.id);
}

/** For instances before 5.10 that were not made with `fastifyOptions`, which tell without a hook. */
function noteRoute(pattern: string): (request: { raw: unknown }, reply: unknown, done: () => void) => void {
  return (request, _reply, done) => {
    const tracked = (request.raw as TrackedMessage)[requestKey];
    if (tracked !== undefined) tracked.route = pattern;
    done();
  };
}
