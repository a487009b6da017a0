import type { IncomingMessage } from "node:http";
import { asError, readField } from "@tsserve/config";
import { failureReports } from "@tsserve/server";
import { hasMethods, isConnect, isKoa } from "./app-kind.ts";
import { hasClientLeft } from "./client-left.ts";
import { requestKey, type TrackedMessage } from "./http-request.ts";

/** Tells the error tracker what an app failed with, by whichever framework's way: the log does not see what a framework answers itself. */
export function tellFailure(incoming: IncomingMessage | Request | undefined, thrown: unknown, owner: string): void {
  const request = (incoming as TrackedMessage | undefined)?.[requestKey];
  failureReports().tell({
    error: asError(thrown),
    level: "error",
    owner,
    requestId: request?.id,
    traceId: request?.trace.traceId,
    spanId: request?.trace.spanId,
  });
}

/** Whether an error is the app's fault: what carries the status of a client's fault is an answer. */
export function isServerFault(thrown: unknown, status?: number): boolean {
  // Frameworks add these to the errors that they answer.
  const known = [status, readField(thrown, "statusCode"), readField(thrown, "status")].find(
    (each): each is number => typeof each === "number" && each >= 400,
  );
  return known === undefined || known >= 500;
}

/** Fastify's `onError` hook: it is called with what a handler failed with, when that is answered. */
export function fastifyErrorHook(
  request: { readonly raw: IncomingMessage },
  reply: { readonly statusCode: number },
  error: unknown,
  done: () => void,
): void {
  if (isServerFault(error, reply.statusCode)) tellFailure(request.raw, error, "the app");
  done();
}

type ExpressErrorHandler = (error: unknown, request: IncomingMessage, response: object, next: (error: unknown) => void) => void;
type HonoErrorHandler = (error: unknown, context: unknown) => unknown;

/**
 * Follows the failures of an app that is made, where its framework has a public place for that: the last error handler of an
 * Express app, the `error` event of Koa's, what a Hono app answers errors with, h3's `onError`.
 */
export function followFailures(app: unknown): void {
  if (isKoa(app)) {
    // With a first listener, Koa would keep its own words to itself: there is one by now, the app's or the server's.
    app.on("error", (error, context) => {
      const { req } = (context ?? {}) as { readonly req?: IncomingMessage };
      if (readField(error, "expose") !== true && isServerFault(error) && !hasClientLeft(req, error)) tellFailure(req, error, "the app");
    });
    return;
  }
  if (isConnect(app)) {
    const last: ExpressErrorHandler = (error, request, _response, next) => {
      if (isServerFault(error)) tellFailure(request, error, "the app");
      next(error);
    };
    (readField(app, "use") as (handler: ExpressErrorHandler) => unknown).call(app, last);
    return;
  }
  if (hasMethods(app, "onError", "errorHandler")) {
    const answer = readField(app, "errorHandler") as HonoErrorHandler;
    (readField(app, "onError") as (handler: HonoErrorHandler) => unknown).call(app, async (error: unknown, context: unknown) => {
      const given = await answer.call(app, error, context);
      const status = readField(given, "status");
      if (typeof status === "number" && status >= 500) tellFailure(requestIn(readField(context, "req"), "raw"), error, "the app");
      return given;
    });
    return;
  }
  const config = readField(app, "config");
  if (typeof config === "object" && config !== null && hasMethods(app, "fetch")) followH3(config as H3Config);
}

/** The request that a framework's own object leads to, where that is still the one that the app was given. */
function requestIn(value: unknown, name: string): Request | undefined {
  const request = readField(value, name);
  return request instanceof Request ? request : undefined;
}

interface H3Config {
  onError?: (error: unknown, event: unknown) => unknown;
}

function followH3(config: H3Config): void {
  const own = config.onError;
  config.onError = (error, event) => {
    // What was thrown lies below the error of h3's own class.
    if (isServerFault(error)) tellFailure(requestIn(event, "req"), readField(error, "cause") ?? error, "the app");
    return own?.call(config, error, event);
  };
}
