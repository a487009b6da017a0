import type { IncomingMessage, ServerResponse } from "node:http";
import { ActiveRequest, type RequestDescription, type RequestTrace } from "@tsserve/server";
import type { Refusal } from "./refusal.ts";
import { addressOf } from "./client.ts";
import type { Connection } from "./connection.ts";
import type { FastifyRequestLike } from "./fastify-like.ts";
import { isRequestId } from "./is-request-id.ts";
import { rawHeadersOf } from "./raw-headers.ts";
import { traceOfRaw } from "./trace.ts";

/** What the server keeps of a request while it lasts. Everything but the start is found out when asked for. */
export class HttpRequest extends ActiveRequest {
  readonly incoming: IncomingMessage;
  readonly response: ServerResponse | undefined;
  readonly connection: Connection;
  readonly startedAt: number;
  /** As the client sent it: routers shorten the message's own while they look for a route. */
  readonly url: string;
  /** The request in progress that came before it on its connection. */
  earlier: HttpRequest | undefined = undefined;
  /** Why the server answered in the place of the app, where it did. */
  refusal: Refusal | undefined = undefined;
  /** What was answered to a request to switch protocols. */
  switchStatus: number | undefined = undefined;
  /** Whether its client waits for `100 Continue` before it sends the body. */
  awaitsContinue = false;
  /** Whether its WebSocket has been told to close. */
  isToldToGo = false;
  /** Whether it counts for `max_active_requests`. */
  isCounted = false;
  /** Whether its answer is finished, or its connection has gone. */
  isOver = false;
  /** The pattern of the route, where something has noted it. */
  route: string | undefined = undefined;
  /** Finds the pattern, where a framework has to be asked for it. */
  findRoute: ((incoming: IncomingMessage) => string | undefined) | undefined = undefined;
  /** Fastify's own request, which knows its route. */
  fastify: FastifyRequestLike | undefined = undefined;
  /** Finds the pattern of that. */
  findPattern: ((request: FastifyRequestLike) => string | undefined) | undefined = undefined;
  /** Whether the head of its answer is seen to (`response-head.ts`). */
  isHeadGuarded = false;
  /** Whether it is a health probe that the server answers for the app: they come all the time. */
  isProbe = false;
  /** What its client, or a proxy in front, calls it. */
  upstreamId: string | undefined = undefined;
  /** Of the body, as far as it has come; only counted where somebody asks for it. */
  bodyBytes = 0;
  // `private` rather than `#`: one of these is made for each request, and `#` fields cost more to make.
  private knownTrace: RequestTrace | undefined = undefined;
  private knownId: string | undefined = undefined;
  /** Whether its id is one of those that `newRequestId` gives. */
  hasOwnId = false;

  constructor(incoming: IncomingMessage, response: ServerResponse | undefined, connection: Connection, startedAt: number) {
    super();
    this.incoming = incoming;
    this.url = incoming.url ?? "";
    this.response = response;
    this.connection = connection;
    this.startedAt = startedAt;
  }

  get trace(): RequestTrace {
    return (this.knownTrace ??= traceOfRaw(rawHeadersOf(this.incoming)));
  }

  get id(): string {
    if (this.knownId === undefined) {
      this.hasOwnId = true;
      this.knownId = newRequestId();
    }
    return this.knownId;
  }

  /** Takes the id that the app's framework has for it: its own, where it was told to find them elsewhere. */
  takeId(id: string): void {
    if (id !== this.knownId && isRequestId(id)) this.id = id;
  }

  /** The id that a proxy in front gave it, once that is known to be believed. */
  set id(id: string) {
    this.hasOwnId = false;
    this.knownId = id;
  }

  /** The status of its answer, where the head of one has left the app. */
  get status(): number | undefined {
    const { refusal, response } = this;
    if (refusal !== undefined) return refusal.status;
    return response === undefined ? this.switchStatus : response.headersSent ? response.statusCode : undefined;
  }

  override describe(): RequestDescription {
    const ageMs = Math.round(performance.now() - this.startedAt);
    const client = addressOf(this.incoming);
    return { method: this.incoming.method ?? "", route: routeOf(this), ageMs, client, id: this.id };
  }
}

/** Where a request finds its record: on the message itself, which costs less than a map. */
export const requestKey: unique symbol = Symbol("tsserve.request");

export interface TrackedMessage extends IncomingMessage {
  [requestKey]?: HttpRequest;
}

/** The pattern of the route, where there is one. */
export function patternOf(request: HttpRequest): string | undefined {
  const { fastify, findPattern } = request;
  const pattern = request.route ?? (fastify === undefined || findPattern === undefined ? fastify?.routeOptions.url : findPattern(fastify));
  if (pattern !== undefined || request.findRoute === undefined) return pattern;
  try {
    request.route = request.findRoute(request.incoming);
  } catch {
    // A framework of a later version may keep its routes otherwise: then the request has no pattern.
    request.findRoute = undefined;
  }
  return request.route;
}

/** The pattern of the route, else the path. Only for people: a raw path is no metric label. */
export function routeOf(request: HttpRequest): string {
  return patternOf(request) ?? request.url.split("?", 1)[0] ?? "";
}

let lastId = 0;
// The pid keeps the ids of workers apart.
const idPrefix = `${process.pid.toString(36)}-`;

/** Unique in this process, and among its siblings. */
export function newRequestId(): string {
  lastId += 1;
  return idPrefix + lastId.toString(36);
}
