/** What differs from kind to kind; `test/fixtures/apps/kinds.js` has an app of each. */
export interface AppKind {
  readonly name: string;
  /** The label of requests to `/users/7`: where an app can't be asked for its routes, all of them share `*`. */
  readonly endpoint: "/users/:id" | "*";
  /** Whether the app reads who the client is from the socket, as Node has it, rather than from its framework. */
  readonly readsSocket?: true;
  /** Whether the framework limits bodies itself: what a handler reads as a stream has no limit then. */
  readonly limitsItself?: true;
  /** Whether the framework tells errors on stderr, in its own words. */
  readonly tellsOnStderr?: true;
  /** Whether it answers by a `Response`, so that there is no answering twice. */
  readonly isWebStandard?: true;
  /** Whether its router gives no answer to `HEAD` where it gives one to `GET`. */
  readonly hasNoHead?: true;
  /** Whether a stream that fails leaves its answer open for ever, as by hand. */
  readonly leavesBrokenStreams?: true;
}

export const appKinds: readonly AppKind[] = [
  { name: "plain", endpoint: "*", readsSocket: true },
  { name: "http.Server", endpoint: "*", readsSocket: true },
  { name: "Express 4", endpoint: "/users/:id", tellsOnStderr: true },
  { name: "Express 5", endpoint: "/users/:id", tellsOnStderr: true },
  { name: "Express 5 in an http.Server", endpoint: "/users/:id", tellsOnStderr: true },
  { name: "Koa", endpoint: "/users/:id" },
  { name: "Koa's callback()", endpoint: "*", readsSocket: true, tellsOnStderr: true },
  { name: "fetch", endpoint: "*", isWebStandard: true },
  { name: "Hono", endpoint: "/users/:id", isWebStandard: true },
  { name: "h3 1", endpoint: "*", readsSocket: true, hasNoHead: true, leavesBrokenStreams: true },
  { name: "h3 2", endpoint: "/users/:id", isWebStandard: true },
  { name: "Fastify", endpoint: "/users/:id", limitsItself: true },
  { name: "Fastify by hand", endpoint: "/users/:id", limitsItself: true },
  { name: "Nest on Express", endpoint: "/users/:id", tellsOnStderr: true },
  { name: "Nest on Fastify", endpoint: "/users/:id", limitsItself: true, tellsOnStderr: true },
];
