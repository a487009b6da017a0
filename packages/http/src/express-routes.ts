import type { IncomingMessage } from "node:http";
import type { Route } from "@tsserve/server";
import { believesProxies, type ProxySettings } from "./client.ts";

/** One entry of a router's stack: a route, a mounted router, or middleware. */
interface Layer {
  readonly route?: ExpressRoute;
  readonly handle?: { readonly stack?: readonly Layer[] } & Mounted;
  /** What was written, in Express 5 with router 2.3 and later. */
  readonly rawPath?: unknown;
  /** Made from what was written, in Express 4. */
  readonly regexp?: RegExp & { readonly fast_slash?: boolean };
  readonly keys?: readonly { readonly name: string | number }[];
}

interface ExpressRoute {
  readonly path: unknown;
  readonly methods: Readonly<Record<string, boolean>>;
}

/** An app that is mounted in another one (Express wraps it in a function that has no stack). */
interface Mounted {
  readonly _router?: { readonly stack?: readonly Layer[] };
  readonly router?: { readonly stack?: readonly Layer[] };
}

interface FoundRoute {
  readonly route: ExpressRoute;
  /** The patterns under which its router is mounted, joined; `undefined` where they can't be known before a request came. */
  readonly mount: string | undefined;
}

/** The message of Express, with what its routers have noted. */
interface ExpressMessage extends IncomingMessage {
  readonly baseUrl?: unknown;
  readonly route?: ExpressRoute;
}

const deepest = 20;

/** The routes of an Express app (4: `_router`, 5: `router`) with those of the routers that are mounted in it. */
export function expressRoutes(app: object): Route[] {
  return found(app).flatMap(({ route, mount }) => methodsOf(route).map((method) => ({ method, path: joined(mount ?? "*", route.path) })));
}

/** `app.all` adds the route for each method that there is, or as `_all`. */
function methodsOf({ methods = {} }: Partial<ExpressRoute>): readonly string[] {
  const names = Object.keys(methods);
  return names.includes("_all") || names.length > 20 ? ["ALL"] : names.map((name) => name.toUpperCase());
}

/** How many mounts a route may have whose patterns are not known: beyond, raw paths would be without number. */
const mostMounts = 50;

/** Finds the pattern of the route that a request took, from where it has been noted on the message. */
export function expressPatterns(app: object): (incoming: IncomingMessage) => string | undefined {
  const known = new Map<ExpressRoute, FoundRoute[]>();
  const guessed = new Map<ExpressRoute, Set<string>>();
  const learn = (): void => {
    known.clear();
    for (const each of found(app)) known.set(each.route, [...(known.get(each.route) ?? []), each]);
  };
  return (incoming) => {
    const { route, baseUrl } = incoming as ExpressMessage;
    if (route === undefined || route === null || typeof route !== "object") return undefined;
    // Routes may be added while the app runs; one that stays unknown is in a router that is called by hand.
    if (!known.has(route) && !guessed.has(route)) learn();
    const base = typeof baseUrl === "string" ? baseUrl : "";
    const mounts = (known.get(route) ?? []).flatMap(({ mount }) => (mount === undefined ? [] : [mount]));
    const mount = mounts.length === 1 ? mounts[0] : mounts.find((each) => fits(each, base));
    if (mount !== undefined) return joined(mount, route.path);
    const bases = guessed.get(route) ?? new Set();
    guessed.set(route, bases);
    if (bases.size < mostMounts) bases.add(base);
    return joined(bases.has(base) ? base : "*", route.path);
  };
}

function found(app: object): FoundRoute[] {
  const routes: FoundRoute[] = [];
  walk(stackOf(app), "", 0, routes);
  return routes;
}

function stackOf(app: object | undefined): readonly Layer[] {
  const { _router, stack } = (app ?? {}) as Mounted & { readonly stack?: readonly Layer[] };
  const known = stack ?? _router?.stack;
  if (known !== undefined) return known;
  try {
    return (app as Mounted | undefined)?.router?.stack ?? [];
  } catch {
    // Express 4 throws at those who ask for what Express 3 had, as long as it has no route.
    return [];
  }
}

function walk(stack: readonly Layer[], mount: string | undefined, depth: number, routes: FoundRoute[]): void {
  if (depth > deepest || !Array.isArray(stack)) return;
  for (const layer of stack as readonly Layer[]) {
    if (layer.route !== undefined) routes.push({ route: layer.route, mount });
    else if (layer.handle !== undefined && stackOf(layer.handle).length > 0) {
      const below = mountOf(layer);
      walk(stackOf(layer.handle), mount === undefined || below === undefined ? undefined : joined(mount, below), depth + 1, routes);
    }
  }
}

function mountOf({ rawPath, regexp, keys = [] }: Layer): string | undefined {
  if (rawPath !== undefined) return textOf(rawPath);
  if (regexp === undefined) return undefined;
  if (regexp.fast_slash === true) return "";
  // path-to-regexp 0.1: `^\/api\/(?:([^\/]+?))\/?(?=\/|$)` of `/api/:id`.
  let names = 0;
  const text = regexp.source
    .replace(/^\^/, "")
    .replace(/\\\/\?\(\?=\\\/\|\$\)$/, "")
    .replaceAll(
      /\(\?:\(?\\?\/?\(?\[\^\\?\/\]\+\?\)+/g,
      (part) => `${part.includes("/(") || part.startsWith("(?:\\/") ? "/" : ""}:${keys[names++]?.name ?? "param"}`,
    )
    .replaceAll("\\/", "/")
    .replaceAll("\\.", ".")
    .replaceAll("\\-", "-");
  return /[\\^$()?|[\]]/.test(text) ? undefined : text;
}

function textOf(path: unknown): string {
  if (Array.isArray(path)) return path.length === 1 ? textOf(path[0]) : `{${path.map(textOf).join(",")}}`;
  return path instanceof RegExp ? String(path) : String(path);
}

function joined(mount: string, path: unknown): string {
  const text = textOf(path);
  const whole = `${mount === "/" ? "" : mount.replace(/\/$/, "")}${text === "/" || text === "" ? "" : text.startsWith("/") ? text : `/${text}`}`;
  return whole === "" ? "/" : whole;
}

/** Whether a raw path is one of a pattern's: as many parts, and the same but for parameters. */
function fits(pattern: string, base: string): boolean {
  const [parts, found_] = [pattern.split("/"), base.split("/")];
  return (
    parts.length === found_.length && parts.every((part, n) => part.startsWith(":") || part.toLowerCase() === found_[n]?.toLowerCase())
  );
}

interface ExpressLike {
  enabled?: (name: string) => unknown;
  set?: (name: string, value: unknown) => unknown;
}

/**
 * Express believes what the peer says of the client, where the server has seen to it that this is true: one address stands in
 * `X-Forwarded-For`, the client's. What the app says about proxies itself is left as it is.
 */
export function trustFirstHop(app: object, proxies: ProxySettings): void {
  const { enabled, set } = app as ExpressLike;
  if (!believesProxies(proxies) || typeof enabled !== "function" || typeof set !== "function") return;
  if (enabled.call(app, "trust proxy") === false) set.call(app, "trust proxy", (_address: string, hop: number) => hop === 0);
}
