import type { IncomingMessage, ServerResponse } from "node:http";
import type { ActiveRequest, RequestDescription } from "@tsserve/server";
import type { Connection } from "./connection.ts";
import { traceOf, type Trace } from "./trace.ts";

/** What the server keeps of a request while it lasts. Everything but the start is found out when asked for. */
export class HttpRequest implements ActiveRequest {
  readonly incoming: IncomingMessage;
  readonly response: ServerResponse | undefined;
  readonly connection: Connection;
  readonly startedAt: number;
  /** The pattern of the route, once the framework has found it. */
  route: string | undefined;
  /** Whether it is a health probe that the server answers for the app: they come all the time. */
  isProbe = false;
  #trace: Trace | undefined;
  #id: string | undefined;

  constructor(incoming: IncomingMessage, response: ServerResponse | undefined, connection: Connection, startedAt: number) {
    this.incoming = incoming;
    this.response = response;
    this.connection = connection;
    this.startedAt = startedAt;
  }

  get trace(): Trace {
    return (this.#trace ??= traceOf(this.incoming.headers));
  }

  get id(): string {
    return (this.#id ??= newRequestId());
  }

  describe(): RequestDescription {
    const ageMs = Math.round(performance.now() - this.startedAt);
    const client = this.incoming.socket.remoteAddress;
    return { method: this.incoming.method ?? "", route: routeOf(this), ageMs, client, id: this.id };
  }
}

/** Where a request finds its record: on the message itself, which costs less than a map. */
export const requestKey: unique symbol = Symbol("tsserve.request");

export interface TrackedMessage extends IncomingMessage {
  [requestKey]?: HttpRequest;
}

interface ExpressMessage {
  readonly baseUrl?: unknown;
  readonly route?: { readonly path?: unknown };
}

/** The pattern of the route (Fastify, Express), else the path. Only for people: a raw path is no metric label. */
export function routeOf(request: HttpRequest): string {
  if (request.route !== undefined) return request.route;
  const { baseUrl, route } = request.incoming as ExpressMessage;
  if (typeof route?.path === "string") return `${typeof baseUrl === "string" ? baseUrl : ""}${route.path}`;
  return (request.incoming.url ?? "").split("?", 1)[0] ?? "";
}

let lastId = 0;
// The pid keeps the ids of workers apart.
const idPrefix = `${process.pid.toString(36)}-`;

/** Unique in this process, and among its siblings. */
export function newRequestId(): string {
  lastId += 1;
  return idPrefix + lastId.toString(36);
}
